import { it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { expect } from "vitest"
import * as NodeCallProcesses from "../../../../src/adapters/node/NodeCallProcesses.js"
import { CallId } from "../../../../src/domain/Message.js"
import { CallProcesses } from "../../../../src/services/CallProcesses.js"

/** Long enough for a fiber to reach the point where it waits, but not for the system to answer it. */
const turns = Effect.repeatN(Effect.yieldNow(), 20)

it.scopedLive("an interrupted caller leaves the listing of processes to the callers that wait for the same one", () =>
  Effect.gen(function* () {
    const { end } = yield* CallProcesses
    const ended = end([CallId.make("call_1")])
    const first = yield* Effect.fork(ended)
    yield* turns
    const second = yield* Effect.fork(ended)
    yield* turns
    yield* Fiber.interrupt(second)
    expect(yield* Effect.exit(ended)).toEqual(Exit.void)
    expect(yield* Fiber.join(first)).toEqual(undefined)
  }).pipe(Effect.provide(NodeCallProcesses.layer))
)
