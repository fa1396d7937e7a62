import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"
import { lock } from "./Lock.js"
import * as Reopened from "./Reopened.js"

const { s1 } = Child

const append = (name: string) => ({ do: "append", session: s1, name, count: 1, bytes: 10, atOnce: false }) as const

it.scopedLive(
  "P9 many processes: a lock that another holds for 2 s blocks no event loop, and the write is then stored",
  () =>
    Effect.gen(function* () {
      const data = yield* folder
      const child = yield* Child.open(data)
      yield* child.get({ do: "create", session: s1 })
      yield* child.get({ do: "lateness" })
      const unlock = yield* lock(data)
      const writing = yield* Effect.fork(child.get(append("a")))
      yield* child.get({ do: "wait", millis: 2_000 })
      expect(child.stored()).toEqual([])
      expect(yield* child.get({ do: "read", session: s1 })).toEqual([])
      // Far below the time of the lock. The benchmark shows the value for an idle machine.
      expect(Number(yield* child.get({ do: "lateness" }))).toBeLessThan(400)
      yield* unlock
      yield* Fiber.join(writing)
      yield* child.kill
      expect(yield* Reopened.names(data, s1)).toEqual(["a 1"])
    })
)

it.scopedLive("P9 many processes: each write past its time limit gets one typed error, and nothing is half done", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data, { busyMaxMillis: 200 })
    yield* child.get({ do: "create", session: s1 })
    const files = Reopened.files(data)
    const unlock = yield* lock(data)
    const send = { do: "send", session: s1, text: "once", key: "k" } as const
    const [, ...failures] = yield* Effect.all(
      [
        child.get(append("a")),
        child.refused(send),
        child.refused({ do: "save", session: s1, bytes: 100 }),
        child.refused({ do: "delete", session: s1 })
      ],
      { concurrency: "unbounded" }
    )
    for (const failure of [...child.failures().map(({ failure }) => failure), ...failures]) {
      expect(failure).toMatchObject({ _tag: "StorageBusy" })
      expect(Number(failure["waitedMillis"])).toBeGreaterThanOrEqual(200)
    }
    expect(child.failures()).toHaveLength(1)
    expect(Reopened.files(data)).toEqual(files)
    yield* unlock
    expect(yield* child.get({ do: "read", session: s1 })).toEqual([])
    yield* child.get(append("b"))
    expect(yield* child.get({ do: "read", session: s1 })).toEqual(["b 1"])
    yield* child.get(send)
  })
)
