import { expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Random, Ref, Runtime, type Scope, TestClock } from "effect"
import { Quiescence } from "skein/testing"
import { Database } from "../../../../../../src/services/storage/sql/Database.js"
import { WriteLane } from "../../../../../../src/services/storage/sql/lane/WriteLane.js"
import { EventLoop } from "../../../../../../src/services/EventLoop.js"
import * as EventLoopOfNode from "../../../../../../src/adapters/EventLoop.js"
import { folder } from "../../disk.js"
import { refused } from "../../../../../../src/adapters/testing/storage/fixture.js"
import { Faults } from "./FaultyDatabase.js"
import { lane, laneIn, lock, stored, write } from "./fixture.js"

/** Gives the event loop one turn. */
const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

it.scopedLive("P9 many processes: a write waits for another process's lock, and is stored once it is free", () =>
  Effect.gen(function* () {
    const unlock = yield* lock
    const waiting = yield* Effect.fork(write("a"))
    yield* Effect.repeatN(turn, 20)
    expect(yield* stored).toEqual([])
    yield* unlock
    yield* Fiber.join(waiting)
    expect(yield* stored).toEqual(["a"])
  }).pipe(Effect.provide(lane()))
)

it.scoped("P9 many processes: a lock held for a moment is awaited by turns of the event loop, not by a timer", () =>
  Effect.gen(function* () {
    const unlock = yield* lock
    const waiting = yield* Effect.fork(write("a"))
    yield* Effect.repeatN(turn, 10)
    expect(yield* stored).toEqual([])
    yield* unlock
    yield* Fiber.join(waiting)
    expect(yield* stored).toEqual(["a"])
  }).pipe(Effect.provide(lane()), Effect.provideService(EventLoop, { turn: EventLoopOfNode.turn }))
)

it.scopedLive("P9 many processes: a write that has waited its full time fails as busy, and leaves nothing behind", () =>
  Effect.gen(function* () {
    const unlock = yield* lock
    const refusal = yield* refused(write("a"))
    expect(refusal).toMatchObject({ _tag: "StorageBusy", operation: "put" })
    expect("waitedMillis" in refusal && refusal.waitedMillis).toBeGreaterThanOrEqual(60)
    yield* unlock
    yield* write("b")
    expect(yield* stored).toEqual(["b"])
  }).pipe(Effect.provide(lane({ busyMaxMillis: 60 })))
)

it.scopedLive(
  "P9 many processes: all writes that waited their full time fail as busy while the lock is still held",
  () =>
    Effect.gen(function* () {
      yield* lock
      const refusals = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => `${index}`),
        (value) => refused(write(value)),
        { concurrency: "unbounded" }
      )
      expect(refusals.map(({ _tag }) => _tag)).toEqual(Array.from({ length: 40 }, () => "StorageBusy"))
    }).pipe(Effect.provide(lane({ busyMaxMillis: 60 })))
)

/** Lets time pass for the lane, which keeps retrying meanwhile. */
const pass = (millis: number) =>
  Effect.repeatN(Effect.zipRight(TestClock.adjust("1 millis"), Quiescence.idle), millis - 1)

it.scoped("P9 many processes: a write left out of a full group has its full time again at the next lock", () =>
  Effect.gen(function* () {
    const faults = yield* Faults
    const unlock = yield* lock
    let unlockAgain = Effect.void
    const next = yield* Effect.runtime<Database | Scope.Scope>()
    faults.onRun = (statement, proceed) => {
      const changes = proceed()
      if (statement === "COMMIT") {
        faults.onRun = (_, proceed) => proceed()
        unlockAgain = Runtime.runSync(next)(lock)
      }
      return changes
    }
    const values = Array.from({ length: 600 }, (_, index) => `${index}`)
    const writing = yield* Effect.fork(
      Effect.forEach(values, (value) => Effect.exit(write(value)), { concurrency: "unbounded" })
    )
    yield* Quiescence.idle
    yield* pass(40)
    yield* unlock
    yield* pass(20)
    expect((yield* stored).length).toBe(512)
    yield* pass(40)
    yield* unlockAgain
    yield* pass(20)
    expect((yield* writing).filter(Exit.isFailure)).toEqual([])
    expect(yield* stored).toEqual(values)
  }).pipe(
    Effect.provide(lane({ busyMaxMillis: 80 })),
    // Without jitter each moment is a whole millisecond, as on a real clock.
    Effect.withRandom(Random.fixed([0.5]))
  )
)

it.scopedLive("P9 many processes: the event loop does not stop while a write waits", () =>
  Effect.gen(function* () {
    const turns = yield* Ref.make(0)
    yield* lock
    const turning = yield* Effect.fork(
      Effect.forever(
        Effect.zipRight(
          turn,
          Ref.update(turns, (n) => n + 1)
        )
      )
    )
    const { statements } = yield* Faults
    yield* refused(write("a"))
    yield* Fiber.interrupt(turning)
    const tries = statements.filter((statement) => statement.startsWith("BEGIN")).length
    expect(tries).toBeGreaterThan(5)
    expect(yield* Ref.get(turns)).toBeGreaterThan(tries)
  }).pipe(Effect.provide(lane({ busyMaxMillis: 100 })))
)

it.scopedLive("P6 reads never wait for a writer, whoever it is", () =>
  Effect.gen(function* () {
    yield* write("a")
    yield* lock
    const waiting = yield* Effect.fork(write("b"))
    yield* Quiescence.idle
    const { reader } = yield* Database
    expect(reader.all("SELECT value FROM scratch")).toEqual([{ value: "a" }])
    yield* Fiber.interrupt(waiting)
  }).pipe(Effect.provide(lane()))
)

it.scopedLive("P9 many processes: lanes of one file take turns, each write is stored once", () =>
  Effect.gen(function* () {
    const directory = yield* folder
    const lanes = yield* Effect.forEach([1, 2, 3], () => Layer.build(laneIn(directory)))
    const groups = lanes.map((context, name) =>
      Effect.forEach(Array.from({ length: 30 }), (_, index) => write(`${name}-${index}`)).pipe(
        Effect.provideService(WriteLane, Context.get(context, WriteLane))
      )
    )
    yield* Effect.all(groups, { concurrency: "unbounded" })
    const [context] = lanes
    const all = yield* stored.pipe(
      Effect.provideService(Database, Context.get(context ?? (yield* Effect.die("none")), Database))
    )
    expect(all).toHaveLength(90)
  })
)
