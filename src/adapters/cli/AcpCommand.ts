/**
 * `skein acp`: an agent for editors, over stdin and stdout, until stdin ends. The engine is loaded and opened by the
 * first request that needs one; when a server works on the sessions, the agent goes through it, so that page and
 * terminal see what the editor does.
 */
import { Effect } from "effect"
import * as AcpFront from "./AcpFront.js"
import { EditorTooLong } from "./Failure.js"
import type { Input } from "./AcpEngine.js"

const engines = Effect.promise(() => import("./AcpEngine.js"))

export const run = Effect.fn("AcpCommand.run")(function* (input: Input) {
  const engine = yield* engines
  const ask = yield* engine.ask(input, AcpFront.capabilities)
  const end = yield* Effect.promise(() => AcpFront.serve(ask))
  if (end === "too-long") yield* new EditorTooLong()
}, Effect.scoped)
