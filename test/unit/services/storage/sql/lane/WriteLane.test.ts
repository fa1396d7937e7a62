import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Fiber, FiberRef, Layer, Schema, Scope } from "effect"
import { Quiescence } from "skein/testing"
import { SessionId } from "../../../../../../src/domain/Session.js"
import { StorageFailed } from "../../../../../../src/domain/SkeinError.js"
import { EventSignals } from "../../../../../../src/services/storage/EventSignals.js"
import * as StorageTest from "../../../../../../src/adapters/testing/storage/StorageTest.js"
import { EventLoop } from "../../../../../../src/services/EventLoop.js"
import { Database } from "../../../../../../src/services/storage/sql/Database.js"
import type { Program } from "../../../../../../src/services/storage/sql/lane/Program.js"
import { WriteLane } from "../../../../../../src/services/storage/sql/lane/WriteLane.js"
import { Faults } from "./FaultyDatabase.js"
import { lane, laneIn, lock, nobody, put, stored, write, writeAndRefuse } from "./fixture.js"
import { folder } from "../../disk.js"
import { refused } from "../../../../../../src/adapters/testing/storage/fixture.js"

const atOnce = { concurrency: "unbounded" } as const

const commits = Effect.map(Faults, ({ statements }) => statements.filter((statement) => statement === "COMMIT").length)

const values = (count: number) => Array.from({ length: count }, (_, index) => `v${index}`)

/** Time stands still, so that the machine's speed cannot end a group early. */
const still = Effect.withClock(StorageTest.handClock().clock)

describe("groups", () => {
  it.scopedLive("writes that wait together are one commit, in the order in which they came", () =>
    Effect.gen(function* () {
      const before = yield* commits
      yield* Effect.forEach(values(100), write, atOnce)
      expect((yield* commits) - before).toBe(1)
      expect(yield* stored).toEqual(values(100))
    }).pipe(Effect.provide(lane()), still)
  )

  it.scopedLive("a group is bounded in size, and the rest goes into the next", () =>
    Effect.gen(function* () {
      const before = yield* commits
      yield* Effect.forEach(values(1_300), write, atOnce)
      expect((yield* commits) - before).toBe(3)
      expect(yield* stored).toEqual(values(1_300))
    }).pipe(Effect.provide(lane()), still)
  )

  it.scopedLive("a group ends after some milliseconds, and the rest goes into the next", () =>
    Effect.gen(function* () {
      const { clock, set } = StorageTest.handClock()
      let millis = 1_000
      const slowly = (value: string) =>
        Effect.flatMap(WriteLane, ({ write }) =>
          write("put", nobody, function* (tx): Program<void> {
            yield* put(tx, value)
            Effect.runSync(set((millis += 3)))
          })
        )
      const writing = Effect.gen(function* () {
        const before = yield* commits
        yield* Effect.forEach(values(7), slowly, atOnce)
        expect((yield* commits) - before).toBe(3)
        expect(yield* stored).toEqual(values(7))
      })
      yield* writing.pipe(Effect.provide(lane()), Effect.withClock(clock))
    })
  )

  it.scopedLive("a group that took long yields to the event loop before its commit, even while the lane closes", () =>
    Effect.gen(function* () {
      const { clock, set } = StorageTest.handClock()
      const turning = Effect.unsafeMakeLatch(false)
      const turns = Layer.succeed(EventLoop, { turn: turning.await })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.provide(lane(), turns), scope).pipe(Effect.withClock(clock))
      const longWrite = Effect.flatMap(WriteLane, ({ write }) =>
        write("put", nobody, function* (tx): Program<void> {
          yield* put(tx, "long")
          Effect.runSync(set(2_000))
        })
      )
      const here = Effect.provide(context)
      const writing = yield* Effect.fork(Effect.zipRight(longWrite, write("next")).pipe(here))
      yield* Quiescence.idle.pipe(here)
      expect(yield* stored.pipe(here)).toEqual([])
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Quiescence.idle.pipe(here)
      expect(closing.unsafePoll()).toBeNull()
      yield* turning.open
      yield* Fiber.join(closing)
      expect(yield* Fiber.await(writing)).toEqual(Exit.fail(new StorageFailed({ operation: "put", code: "CLOSED" })))
    })
  )

  it.scopedLive("each write is answered with its own result", () =>
    Effect.gen(function* () {
      const { write } = yield* WriteLane
      const answer = (n: number) =>
        write("answer", nobody, function* (): Program<number> {
          return yield* Either.right(n)
        })
      expect(yield* Effect.forEach([1, 2, 3], answer, atOnce)).toEqual([1, 2, 3])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a refusal undoes its own writes and harms no neighbour", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.all(
        [Effect.exit(write("a")), Effect.exit(writeAndRefuse("b")), Effect.exit(write("c"))],
        atOnce
      )
      expect(exits).toEqual([Exit.void, Exit.fail("refused"), Exit.void])
      expect(yield* stored).toEqual(["a", "c"])
    }).pipe(Effect.provide(lane()))
  )

  for (const way of ["run", "get", "all"] as const) {
    it.scopedLive(`a refusal undoes what was written through ${way}`, () =>
      Effect.gen(function* () {
        const { write: writeBody } = yield* WriteLane
        const refuses = writeBody("refuse", nobody, function* (tx): Program<never, "refused"> {
          yield* tx[way]("INSERT INTO scratch (value) VALUES (?) RETURNING value", "b")
          return yield* Either.left("refused" as const)
        })
        const exits = yield* Effect.all(
          [Effect.exit(write("a")), Effect.exit(refuses), Effect.exit(write("c"))],
          atOnce
        )
        expect(exits).toEqual([Exit.void, Exit.fail("refused"), Exit.void])
        expect(yield* stored).toEqual(["a", "c"])
      }).pipe(Effect.provide(lane()))
    )
  }

  it.scopedLive("a body sees what its neighbours before it wrote, and nothing of a refused one", () =>
    Effect.gen(function* () {
      const { write: writeBody } = yield* WriteLane
      const count = writeBody("count", nobody, function* (tx): Program<ReadonlyArray<unknown>> {
        return yield* tx.all("SELECT value FROM scratch ORDER BY rowid")
      })
      const [, , seen] = yield* Effect.all([write("a"), Effect.exit(writeAndRefuse("b")), count], atOnce)
      expect(seen).toEqual([{ value: "a" }])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("refusals alone commit nothing", () =>
    Effect.gen(function* () {
      const before = yield* commits
      yield* Effect.all([Effect.exit(writeAndRefuse("a")), Effect.exit(writeAndRefuse("b"))], atOnce)
      expect(yield* commits).toBe(before)
      expect(yield* stored).toEqual([])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a write that changes nothing is not committed, alone or next to refusals", () =>
    Effect.gen(function* () {
      const { write: writeBody } = yield* WriteLane
      const before = yield* commits
      const look = writeBody("look", nobody, function* (tx): Program<ReadonlyArray<unknown>> {
        return yield* tx.all("SELECT value FROM scratch")
      })
      expect(yield* look).toEqual([])
      const none = writeBody("empty", nobody, function* (tx): Program<number> {
        return yield* tx.run("DELETE FROM scratch")
      })
      expect(yield* Effect.all([none, look, Effect.flip(writeAndRefuse("a"))], atOnce)).toEqual([0, [], "refused"])
      expect(yield* commits).toBe(before)
      expect(yield* Effect.all([look, write("b")], atOnce)).toEqual([[], undefined])
      expect((yield* commits) - before).toBe(1)
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a broken constraint fails only its own write, with the code", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(["a", "a", "c"], (value) => Effect.exit(write(value)), atOnce)
      const broken = new StorageFailed({ operation: "put", code: "SQLITE_CONSTRAINT_PRIMARYKEY" })
      expect(exits).toEqual([Exit.void, Exit.fail(broken), Exit.void])
      expect(yield* stored).toEqual(["a", "c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a body that dies takes no neighbour with it, and its own writes are undone", () =>
    Effect.gen(function* () {
      const dies = Effect.flatMap(WriteLane, ({ write }) =>
        write("die", nobody, function* (tx): Program<never> {
          yield* put(tx, "b")
          throw new Error("a mistake")
        })
      )
      const [first, cause, third] = yield* Effect.all(
        [Effect.exit(write("a")), Effect.sandbox(dies).pipe(Effect.flip), Effect.exit(write("c"))],
        atOnce
      )
      expect(Cause.isDie(cause)).toBe(true)
      expect([first, third]).toEqual([Exit.void, Exit.void])
      expect(yield* stored).toEqual(["a", "c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("P2 seen means stored: watchers are woken after the commit, and only by what stays", () =>
    Effect.gen(function* () {
      const signals = yield* EventSignals
      const { write } = yield* WriteLane
      const touching = (sessionId: SessionId, value: string, result: Either.Either<void, string>) =>
        Effect.exit(
          write("touch", nobody, function* (tx): Program<void, string> {
            yield* put(tx, value)
            tx.touch(sessionId)
            yield* result
          })
        )
      const [kept, undone] = [SessionId.make("kept"), SessionId.make("undone")]
      const keptWatch = yield* signals.watch(kept)
      const undoneWatch = yield* signals.watch(undone)
      const seen = yield* Effect.fork(Effect.zipRight(keptWatch.next, stored))
      const asleep = yield* Effect.fork(undoneWatch.next)
      yield* Quiescence.idle
      yield* Effect.all([touching(kept, "a", Either.void), touching(undone, "b", Either.left("no"))], atOnce)
      expect(yield* Fiber.join(seen)).toEqual(["a"])
      yield* Quiescence.idle
      expect((yield* Fiber.poll(asleep))._tag).toBe("None")
      yield* Fiber.interrupt(asleep)
    }).pipe(Effect.provide(lane()))
  )
})

describe("waiting", () => {
  it.scopedLive("a write that is interrupted while it waits leaves the queue and is never stored", () =>
    Effect.gen(function* () {
      const unlock = yield* lock
      const kept = yield* Effect.fork(write("kept"))
      const given = yield* Effect.fork(write("given up"))
      const last = yield* Effect.fork(write("last"))
      yield* Quiescence.idle
      yield* Fiber.interrupt(given)
      yield* unlock
      yield* Fiber.joinAll([kept, last])
      expect(yield* stored).toEqual(["kept", "last"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("other work has its turn while one client keeps writing", () =>
    Effect.gen(function* () {
      const { write } = yield* WriteLane
      let turns = 0
      const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.sync(() => void turns++))))
      yield* Effect.forkScoped(Effect.forever(turn))
      const long =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT max(i) FROM n"
      const work = write("work", nobody, function* (tx): Program<void> {
        yield* tx.get(long)
      })
      yield* work
      const before = turns
      yield* Effect.repeatN(work, 99)
      expect(turns - before).toBeGreaterThan(2)
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive(
    "the work of callers between writes counts, too: other work has its turn after some milliseconds of both",
    () =>
      Effect.gen(function* () {
        const { clock, set } = StorageTest.handClock()
        const turning = Effect.unsafeMakeLatch(false)
        const turns = Layer.succeed(EventLoop, { turn: turning.await })
        const working = Effect.gen(function* () {
          // The first write was the one to the lane's own table, at 1,000 ms.
          yield* Effect.fork(
            Effect.forEach(["1005", "1010", "1015", "1020"], (value) =>
              Effect.zipRight(set(Number(value)), write(value))
            )
          )
          yield* Quiescence.idle
          expect(yield* stored).toEqual(["1005", "1010"])
          yield* turning.release
          yield* Quiescence.idle
          expect(yield* stored).toEqual(["1005", "1010", "1015", "1020"])
        })
        yield* working.pipe(Effect.provide(Layer.provide(lane(), turns)), Effect.withClock(clock))
      })
  )

  /**
   * `count` simultaneous writes whose callers take a millisecond each after their answer, on a loop that the test
   * turns.
   */
  const slowCallers = <A, E, R>(
    count: number,
    test: (callers: {
      readonly fibers: ReadonlyArray<Fiber.RuntimeFiber<void, unknown>>
      readonly answered: Array<string>
      readonly turn: Effect.Effect<void>
    }) => Effect.Effect<A, E, R>
  ) =>
    Effect.gen(function* () {
      const { clock, set } = StorageTest.handClock()
      const turning = yield* Effect.makeLatch(false)
      const turns = Layer.succeed(EventLoop, { turn: turning.await })
      const answered: Array<string> = []
      const call = (value: string) =>
        Effect.zipRight(
          write(value),
          Effect.suspend(() => set(1_000 + answered.push(value)))
        )
      const running = Effect.gen(function* () {
        yield* Quiescence.idle
        yield* turning.release
        const fibers = yield* Effect.forEach(values(count), (value) => Effect.fork(call(value)))
        yield* Quiescence.idle
        return yield* test({ fibers, answered, turn: Effect.zipRight(turning.release, Quiescence.idle) })
      })
      return yield* running.pipe(Effect.provide(Layer.provide(lane(), turns)), Effect.withClock(clock))
    })

  it.scopedLive("a group is one commit, and its callers are answered in portions, in their order", () =>
    slowCallers(40, ({ answered, turn }) =>
      Effect.gen(function* () {
        expect(yield* stored).toEqual(values(40))
        expect(answered).toEqual(values(16))
        yield* turn
        expect(answered).toEqual(values(32))
        yield* turn
        expect(answered).toEqual(values(40))
      })
    )
  )

  it.scopedLive("writes that come while other callers are still being answered form one group afterwards", () =>
    slowCallers(40, ({ answered, turn }) =>
      Effect.gen(function* () {
        const before = yield* commits
        const more = yield* Effect.fork(Effect.forEach(["x", "y"], write, atOnce))
        yield* turn
        expect([answered.length, (yield* commits) - before]).toEqual([32, 0])
        yield* turn
        yield* Fiber.join(more)
        expect([answered.length, (yield* commits) - before]).toEqual([40, 1])
        expect(yield* stored).toEqual([...values(40), "x", "y"])
      })
    )
  )

  it.scopedLive("a caller that is interrupted once its write is stored waits for the answer", () =>
    slowCallers(40, ({ answered, fibers, turn }) =>
      Effect.gen(function* () {
        const last = fibers.at(-1)
        const interrupting = yield* Effect.fork(last === undefined ? Effect.void : Fiber.interrupt(last))
        yield* Quiescence.idle
        expect(interrupting.unsafePoll()).toBeNull()
        yield* turn
        yield* turn
        expect(interrupting.unsafePoll()).not.toBeNull()
        expect(answered).toEqual(values(39))
        expect(yield* stored).toEqual(values(40))
      })
    )
  )

  it.scopedLive("closing the lane answers all callers whose writes are stored", () =>
    Effect.gen(function* () {
      let left: ReadonlyArray<Fiber.RuntimeFiber<void, unknown>> = []
      yield* slowCallers(40, ({ fibers, turn }) =>
        Effect.gen(function* () {
          left = fibers
          expect(fibers.filter((fiber) => fiber.unsafePoll() !== null)).toHaveLength(16)
          yield* Effect.forkScoped(Effect.forever(turn))
        })
      )
      expect(left.filter((fiber) => fiber.unsafePoll() !== null)).toHaveLength(40)
    })
  )

  it.scopedLive("marks of lanes that are long gone are removed, other marks stay", () =>
    Effect.gen(function* () {
      const { write: writeBody } = yield* WriteLane
      const { reader } = yield* Database
      const insert = "INSERT INTO lanes (id, mark, at) VALUES (?, 1, ?)"
      yield* writeBody("insert", nobody, function* (tx): Program<void> {
        yield* tx.run(insert, "old", tx.now - 25 * 60 * 60 * 1000)
        yield* tx.run(insert, "young", tx.now - 23 * 60 * 60 * 1000)
      })
      yield* write("a")
      const left = reader.all("SELECT id FROM lanes WHERE id IN ('old', 'young')")
      expect(left).toEqual([{ id: "young" }])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("closing the lane stores the waiting writes, and refuses new ones", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.build(lane()).pipe(Scope.extend(scope))
      const later = yield* Effect.gen(function* () {
        const unlock = yield* lock
        const waiting = yield* Effect.forkAll(values(3).map(write))
        yield* Quiescence.idle
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* Quiescence.idle
        const later = yield* refused(write("too late"))
        yield* unlock
        yield* Fiber.join(waiting)
        yield* Fiber.join(closing)
        return later
      }).pipe(Effect.provide(context))
      expect(later).toEqual({ _tag: "StorageFailed", operation: "put", code: "CLOSED" })
    })
  )

  it.scopedLive.prop(
    "no write is lost or doubled, however often fibers yield and however long writes take",
    [Schema.Int.pipe(Schema.between(10, 60)), Schema.Int.pipe(Schema.between(0, 2))],
    ([most, longest]) =>
      Effect.gen(function* () {
        const directory = yield* folder
        const { clock, set } = StorageTest.handClock()
        let millis = 1_000
        yield* Effect.gen(function* () {
          const faults = yield* Faults
          faults.onRun = (_, proceed) => {
            Effect.runSync(set((millis += longest)))
            return proceed()
          }
          const exits = yield* Effect.forEach(
            values(90),
            (value, index) => Effect.exit(index % 3 === 0 ? writeAndRefuse(value) : write(value)),
            atOnce
          )
          const answered = values(90).filter((_, index) => exits[index]?._tag === "Success")
          expect(answered).toHaveLength(60)
          expect(yield* stored).toEqual(answered)
        }).pipe(Effect.provide(laneIn(directory)), Effect.withClock(clock))
      }).pipe(Effect.locally(FiberRef.currentMaxOpsBeforeYield, most)),
    { fastCheck: { numRuns: 6, examples: [[29, 0]] } }
  )
})
