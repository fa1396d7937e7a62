/** Runs that were left too long ago: no new engine starts them, but a person can. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"

const settings = { drainMillis: 0, continueWithinMillis: 1, recovery: "continue", recoverMillis: 100 } as const

/** A run that another process left for longer than the limit, and the process that comes next. */
const left = (leave: (one: Child.Child) => Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const data = yield* folder
    const session = SessionId.make("shell-left")
    const one = yield* Child.open(data, settings)
    yield* one.get({ do: "create", session })
    const run = Schema.decodeUnknownSync(RunId)(
      yield* one.get({ do: "send", session, text: "sleep 600\necho Done", key: "k" })
    )
    yield* one.get({ do: "hear", session, type: "call.started" })
    yield* leave(one)
    return { session, run, next: yield* Child.open(data, settings) }
  })

for (const [how, leave, isReleased] of [
  ["was released", (one: Child.Child) => one.get({ do: "close" }), true],
  ["was left by a killed engine", (one: Child.Child) => one.kill, false]
] as const) {
  it.scopedLive(`P5 P9 many processes: an old run that ${how} waits until a person resumes it`, () =>
    Effect.gen(function* () {
      const { next, run, session } = yield* left(leave)
      const ended = yield* Effect.fork(next.get({ do: "await", session, run }))
      // As if it looked for left runs by itself.
      for (let look = 0; look < 5; look++) expect(yield* next.get({ do: "recover" })).toEqual([])
      expect(yield* next.get({ do: "look", run })).toEqual({ state: "running", isReleased })
      expect(ended.unsafePoll()).toBeNull()
      expect(yield* next.get({ do: "resume", session, key: "k" })).toBe(run)
      expect(yield* Fiber.join(ended)).toBe("completed")
      expect(yield* next.get({ do: "read", session })).toEqual([
        "sleep 600",
        "",
        expect.stringContaining("Its effects are unknown"),
        "",
        "Done",
        "Done"
      ])
    })
  )
}
