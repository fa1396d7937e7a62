/**
 * `skein acp`: an agent for editors, over stdin and stdout, until stdin ends or its engine is outdated. The engine is
 * loaded and opened by the first request that needs one; when a server works on the sessions, the agent goes through it,
 * so that page and terminal see what the editor does.
 */
import { Deferred, Effect } from "effect"
import type { StorageUnusable } from "../../domain/SkeinError.js"
import { Leaving, unasked } from "../../services/runtime/Leaving.js"
import * as AcpFront from "./AcpFront.js"
import { EditorTooLong } from "./Failure.js"
import type { Input } from "./AcpEngine.js"

const engines = Effect.promise(() => import("./AcpEngine.js"))

export const run = Effect.fn("AcpCommand.run")(function* (input: Input) {
  const engine = yield* engines
  const outdated = yield* Deferred.make<never, StorageUnusable>()
  const ask = yield* Effect.provideService(engine.ask(input, AcpFront.capabilities), Leaving, {
    ...unasked,
    outdated: (refusal) => Effect.asVoid(Deferred.fail(outdated, refusal))
  })
  const served = Effect.promise(() => AcpFront.serve(ask))
  const end = yield* Effect.raceFirst(served, Deferred.await(outdated))
  if (end === "too-long") yield* new EditorTooLong()
}, Effect.scoped)
