/**
 * A process under torture: an engine on a data folder, by the public preset, that plays its script and prints each
 * announcement as soon as it makes it. Whatever was read from its stdout, it said before it died. Told to end, it
 * leaves its script and closes its engine, as a host does.
 */
import { Cause, Effect, Exit, Fiber, FiberId, Layer, Logger, ManagedRuntime, Schema } from "effect"
import { writeSync } from "node:fs"
import { Gateway } from "../../../src/index.js"
import { SkeinNode } from "../../../src/node.js"
import * as Crossing from "./Crossing.js"
import { codeOf } from "../../../src/adapters/ErrorCode.js"
import * as Dice from "../../support/verdicts/Dice.js"
import * as Engine from "./Engine.js"
import { dataOf } from "./Folders.js"
import { Line, type Said, Setup } from "./Protocol.js"
import * as Script from "./Script.js"

const { folder, place, point, script, seed } = Schema.decodeUnknownSync(Setup)(process.argv[2])
const dice = Dice.make(seed)
const crossing = Crossing.make(point)

const encode = Schema.encodeSync(Line)

/** A pipe with a slow reader takes only a part, or nothing for now. */
const write = (bytes: Uint8Array): void => {
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error
    }
  }
}

const say = (said: Said): void => {
  write(new TextEncoder().encode(`${encode(said)}\n`))
  if (said._tag === "Saw" && said.event.type === "call.finished") crossing.cross("result told")
  crossing.cross("announced")
}

const stage: Engine.Stage = {
  folder,
  dice,
  calls:
    script === "full"
      ? { least: 0, most: 4, steps: 2, behaviours: Engine.behaviours, inOrder: false }
      : { least: 3, most: 3, steps: 1, behaviours: ["slow", "quick", "big"], inOrder: true },
  cross: crossing.cross,
  breach: (text) => say({ _tag: "Breach", text })
}

const engine = SkeinNode.layer({
  data: dataOf(folder),
  drainMillis: dice.pick([0, 0, 50, 10_000]),
  limits: { resultCharacters: Engine.resultCharacters }
}).pipe(
  Layer.provide(Engine.layer(stage)),
  Layer.provideMerge(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
)

let texts = 0

const life = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  crossing.opened()
  say({ _tag: "Opened" })
  const fresh = () => `text ${process.pid}-${seed}-${++texts}`
  yield* Script.play({ gateway, dice, say, fresh, place }, script)
}).pipe(Effect.scoped)

const runtime = ManagedRuntime.make(engine)
const living = runtime.runFork(life)
// Never removed: a listener that finds itself the last one for a signal lets the signal end the process.
process.on("SIGTERM", () => living.unsafeInterruptAsFork(FiberId.none))
const exit = await Effect.runPromise(Fiber.await(living))
await runtime.dispose()
if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) throw Cause.squash(exit.cause)
say({ _tag: "Ended", crossed: crossing.counts() })
