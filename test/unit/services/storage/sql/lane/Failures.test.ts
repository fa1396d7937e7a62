import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Either, Exit, Fiber, Layer, TestClock } from "effect"
import { Quiescence } from "skein/testing"
import { renameSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { StorageFailed } from "../../../../../../src/domain/SkeinError.js"
import { Database } from "../../../../../../src/services/storage/sql/Database.js"
import type { Program } from "../../../../../../src/services/storage/sql/lane/Program.js"
import { WriteLane } from "../../../../../../src/services/storage/sql/lane/WriteLane.js"
import { folder } from "../../disk.js"
import { EventSignals } from "../../../../../../src/services/storage/EventSignals.js"
import { refused, s1 } from "../../../../../../src/adapters/testing/storage/fixture.js"
import * as NewerVersion from "../../../../../support/NewerVersion.js"
import { fail, Faults } from "./FaultyDatabase.js"
import { lane, laneIn, nobody, put, stored, write, writeAndRefuse } from "./fixture.js"

const atOnce = { concurrency: "unbounded" } as const

const failed = (code: string) => ({ _tag: "StorageFailed", operation: "put", code })
const unknown = (code: string) => ({ _tag: "OutcomeUnknown", operation: "put", code })

/** Replaces the next COMMIT. */
const onNextCommit = (happens: (proceed: () => number) => number) =>
  Effect.map(Faults, (faults) => {
    faults.onRun = (statement, proceed) => {
      if (statement !== "COMMIT") return proceed()
      faults.onRun = (_, proceed) => proceed()
      return happens(proceed)
    }
  })

const committedYetFailed = onNextCommit((proceed) => {
  proceed()
  return fail("SQLITE_IOERR_FSYNC")
})

const notCommitted = onNextCommit(() => fail("SQLITE_IOERR_FSYNC"))

/** Limits the database to a number of pages. */
const sizedTo = (pages: string) =>
  Effect.flatMap(WriteLane, ({ write }) =>
    write("set the size", nobody, function* (tx): Program<void> {
      yield* tx.get(`PRAGMA max_page_count = ${pages}`)
    })
  )

describe("before the commit", () => {
  it.scopedLive(
    "a full database fails the write that does not fit, not its neighbours, and works again with room",
    () =>
      Effect.gen(function* () {
        yield* sizedTo("1")
        const large = "x".repeat(100_000)
        const exits = yield* Effect.forEach(["a", large, "c"], (value) => Effect.exit(write(value)), atOnce)
        expect(exits).toEqual([
          Exit.void,
          Exit.fail(new StorageFailed({ operation: "put", code: "SQLITE_FULL" })),
          Exit.void
        ])
        expect(yield* stored).toEqual(["a", "c"])
        yield* sizedTo("1000000")
        yield* write(large)
        expect(yield* stored).toHaveLength(3)
      }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("several writes that do not fit take no neighbour with them", () =>
    Effect.gen(function* () {
      yield* sizedTo("1")
      const large = (letter: string) => letter.repeat(100_000)
      const exits = yield* Effect.forEach(
        ["a", large("b"), "c", large("d"), large("e"), "f"],
        (value) => Effect.exit(write(value)),
        atOnce
      )
      expect(exits.map(({ _tag }) => _tag)).toEqual(["Success", "Failure", "Success", "Failure", "Failure", "Success"])
      expect(yield* stored).toEqual(["a", "c", "f"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("when no write fits, each one fails, and nothing is stored", () =>
    Effect.gen(function* () {
      yield* sizedTo("1")
      const refusals = yield* Effect.forEach(["a", "b", "c"], (value) => refused(write(value.repeat(100_000))), atOnce)
      expect(refusals).toEqual([failed("SQLITE_FULL"), failed("SQLITE_FULL"), failed("SQLITE_FULL")])
      expect(yield* stored).toEqual([])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a disk that fails under a write costs the connection, not the neighbours", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      const { write: writeBody } = yield* WriteLane
      let reopened = 0
      faults.onReopen = Effect.sync(() => void reopened++)
      const bad = writeBody("put", nobody, function* (tx): Program<void> {
        yield* put(tx, "b")
        fail("SQLITE_IOERR_WRITE")
      })
      const [first, second, third] = yield* Effect.all(
        [Effect.exit(write("a")), refused(bad), Effect.exit(write("c"))],
        atOnce
      )
      expect([first, third]).toEqual([Exit.void, Exit.void])
      expect(second).toEqual(failed("SQLITE_IOERR_WRITE"))
      expect(reopened).toBe(1)
      expect(yield* stored).toEqual(["a", "c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a ROLLBACK TO that fails ends the group, and no lost write is answered as a success", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      faults.onRun = (statement, proceed) => (statement === "ROLLBACK TO member" ? fail("SQLITE_IOERR") : proceed())
      const [first, second, third] = yield* Effect.all(
        [
          Effect.exit(write("a")),
          refused(Effect.mapError(writeAndRefuse("b"), (error) => (error === "refused" ? { _tag: error } : error))),
          Effect.exit(write("c"))
        ],
        atOnce
      )
      expect([first, third]).toEqual([Exit.void, Exit.void])
      expect(second).toEqual(failed("SQLITE_IOERR"))
      expect(yield* stored).toEqual(["a", "c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a lock that cannot even be requested fails the waiting writes with the code", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      faults.onRun = (statement, proceed) => (statement === "BEGIN IMMEDIATE" ? fail("SQLITE_IOERR_LOCK") : proceed())
      expect(yield* Effect.forEach(["a", "b"], (value) => refused(write(value)), atOnce)).toEqual([
        failed("SQLITE_IOERR_LOCK"),
        failed("SQLITE_IOERR_LOCK")
      ])
      faults.onRun = (_, proceed) => proceed()
      yield* write("c")
      expect(yield* stored).toEqual(["c"])
    }).pipe(Effect.provide(lane()))
  )
})

describe("a COMMIT that fails", () => {
  it.scopedLive("P2 is a success for the whole group when the group is stored after all", () =>
    Effect.gen(function* () {
      yield* committedYetFailed
      yield* Effect.forEach(["a", "b"], write, atOnce)
      expect(yield* stored).toEqual(["a", "b"])
      yield* write("c")
      expect(yield* stored).toEqual(["a", "b", "c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("P10 wakes watchers and engines when the group is stored after all, and then answers", () =>
    Effect.gen(function* () {
      const signals = yield* EventSignals
      const { write: writeBody } = yield* WriteLane
      const watch = yield* signals.watch(s1)
      const stops = yield* signals.watchStopRequests
      const woken = yield* Effect.fork(Effect.zipRight(watch.next, stops.next))
      const [busyWatch, busyStops] = [yield* signals.watch(s1), yield* signals.watchStopRequests]
      yield* Quiescence.idle
      yield* committedYetFailed
      yield* writeBody("touch", nobody, function* (tx): Program<void> {
        yield* put(tx, "a")
        tx.touch(s1)
        tx.requestStop()
      })
      // These waits return at once only if the signals came before the answer.
      expect(Effect.runSyncExit(Effect.zipRight(busyWatch.next, busyStops.next))).toEqual(Exit.void)
      yield* Quiescence.idle
      expect(woken.unsafePoll()).not.toBeNull()
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("is a failure for the whole group when nothing is stored; the lane goes on", () =>
    Effect.gen(function* () {
      yield* notCommitted
      const refusals = yield* Effect.forEach(["a", "b"], (value) => refused(write(value)), atOnce)
      expect(refusals).toEqual([failed("SQLITE_IOERR_FSYNC"), failed("SQLITE_IOERR_FSYNC")])
      expect(yield* stored).toEqual([])
      yield* write("c")
      expect(yield* stored).toEqual(["c"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("overwrites the place in the log where the failed group may still be, before it answers", () =>
    Effect.gen(function* () {
      const { statements } = yield* Faults
      yield* notCommitted
      const before = statements.length
      yield* refused(write("a"))
      const changes = statements.slice(before).filter((statement) => !statement.startsWith("DELETE"))
      expect(changes.map((statement) => statement.split(" ", 3).join(" "))).toEqual([
        "BEGIN IMMEDIATE",
        "INSERT INTO scratch",
        "INSERT INTO lanes",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "INSERT INTO lanes",
        "COMMIT"
      ])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("is not decided by what a refused neighbour had written", () =>
    Effect.gen(function* () {
      const { write: writeBody } = yield* WriteLane
      const refuses = writeBody("refuse", nobody, function* (tx): Program<never, { readonly _tag: "Refused" }> {
        yield* put(tx, "b")
        tx.recorded("messages", 1, 1)
        return yield* Either.left({ _tag: "Refused" as const })
      })
      yield* committedYetFailed
      const [first, second] = yield* Effect.all([Effect.exit(write("a")), refused(refuses)], atOnce)
      expect(first).toEqual(Exit.void)
      expect(second).toEqual({ _tag: "Refused" })
      expect(yield* stored).toEqual(["a"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("is decided by the lane's own mark, whatever other processes have committed since", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const first = yield* Layer.build(laneIn(directory))
      const second = yield* Layer.build(laneIn(directory))
      const faults = Context.get(first, Faults)
      const other = Effect.provideService(write("other"), WriteLane, Context.get(second, WriteLane))
      faults.onReopen = Effect.orDie(other)
      yield* Effect.provide(committedYetFailed, first)
      yield* Effect.provide(write("a"), first)
      expect(yield* Effect.provide(stored, first)).toEqual(["a", "other"])
    })
  )

  it.scopedLive("has an unknown outcome while the database cannot be opened again", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      faults.onReopen = new StorageFailed({ operation: "open the database", code: "SQLITE_IOERR" })
      yield* committedYetFailed
      expect(yield* Effect.forEach(["a", "b"], (value) => refused(write(value)), atOnce)).toEqual([
        unknown("SQLITE_IOERR_FSYNC"),
        unknown("SQLITE_IOERR_FSYNC")
      ])
      expect(yield* refused(write("c"))).toMatchObject({ _tag: "StorageFailed", code: "SQLITE_IOERR" })
      faults.onReopen = Effect.void
      yield* write("d")
      expect(yield* stored).toEqual(["a", "b", "d"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("has an unknown outcome when the place in the log cannot be overwritten", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      faults.onRun = (statement, proceed) => (statement === "COMMIT" ? fail("SQLITE_IOERR_FSYNC") : proceed())
      expect(yield* refused(write("a"))).toEqual(unknown("SQLITE_IOERR_FSYNC"))
      faults.onRun = (_, proceed) => proceed()
      yield* write("b")
      expect(yield* stored).toEqual(["b"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("for lack of room counts as a failure, not as an unknown outcome", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      faults.onRun = (statement, proceed) => (statement === "COMMIT" ? fail("SQLITE_FULL") : proceed())
      expect(yield* refused(write("a"))).toEqual(failed("SQLITE_FULL"))
      faults.onRun = (_, proceed) => proceed()
      yield* write("b")
      expect(yield* stored).toEqual(["b"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("keeps its callers until it is decided, even if they are interrupted", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      const gate = yield* Deferred.make<void>()
      const reached = yield* Deferred.make<void>()
      faults.onReopen = Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(gate))
      yield* committedYetFailed
      const writing = yield* Effect.fork(write("a"))
      yield* Deferred.await(reached)
      const interrupting = yield* Effect.fork(Fiber.interrupt(writing))
      yield* Quiescence.idle
      expect((yield* Fiber.poll(writing))._tag).toBe("None")
      yield* Deferred.succeed(gate, undefined)
      expect(Exit.isInterrupted(yield* Fiber.join(interrupting))).toBe(true)
      expect(yield* stored).toEqual(["a"])
    }).pipe(Effect.provide(lane()))
  )
})

it.scopedLive("a defect in the database's code reaches the waiting callers, and the lane goes on", () =>
  Effect.gen(function* () {
    const faults = yield* Faults
    faults.onRun = (statement, proceed) => {
      if (statement === "COMMIT") throw new TypeError("a mistake")
      return proceed()
    }
    const causes = yield* Effect.forEach(["a", "b"], (value) => Effect.flip(Effect.sandbox(write(value))), atOnce)
    expect(causes.map(Cause.isDie)).toEqual([true, true])
    faults.onRun = (_, proceed) => proceed()
    yield* write("c")
    expect(yield* stored).toEqual(["c"])
  }).pipe(Effect.provide(lane()))
)

it.scoped("a database file that was replaced takes no more writes, and they fail as such", () =>
  Effect.gen(function* () {
    const { path } = yield* Database
    yield* write("a")
    renameSync(path, `${path}.moved`)
    writeFileSync(path, "another file")
    yield* TestClock.adjust("1 second")
    expect(yield* refused(write("b"))).toMatchObject({ _tag: "StorageUnusable", reason: "replaced", path })
    renameSync(`${path}.moved`, path)
    yield* TestClock.adjust("1 second")
    yield* write("c")
    expect(yield* stored).toEqual(["a", "c"])
  }).pipe(Effect.provide(lane()))
)

describe("P13 once a newer version has migrated the database", () => {
  const migrated = Effect.flatMap(Database, ({ path }) => Effect.sync(() => NewerVersion.migrate(dirname(path))))
  const outdated = { _tag: "StorageUnusable", reason: "newer-version" }

  it.scopedLive("all waiting and later writes are refused, and nothing is stored", () =>
    Effect.gen(function* () {
      const faults = yield* Faults
      yield* write("a")
      // It commits between the lane's turn and its lock.
      faults.onRun = (statement, proceed) => {
        if (statement === "BEGIN IMMEDIATE") {
          faults.onRun = (_, proceed) => proceed()
          Effect.runSync(Effect.provideService(migrated, Database, database))
        }
        return proceed()
      }
      const database = yield* Database
      const refusals = yield* Effect.forEach(["b", "c"], (value) => refused(write(value)), atOnce)
      expect([...refusals, yield* refused(write("d"))]).toMatchObject([outdated, outdated, outdated])
      expect(yield* stored).toEqual(["a"])
    }).pipe(Effect.provide(lane()))
  )

  it.scopedLive("a group whose COMMIT failed before has an unknown outcome, and leaves no mark", () =>
    Effect.gen(function* () {
      yield* onNextCommit(() => fail("SQLITE_IOERR_FSYNC"))
      const faults = yield* Faults
      const database = yield* Database
      faults.onReopen = Effect.asVoid(Effect.provideService(migrated, Database, database))
      expect(yield* refused(write("a"))).toMatchObject(unknown("SQLITE_IOERR_FSYNC"))
      expect(yield* refused(write("b"))).toMatchObject(outdated)
      expect(yield* stored).toEqual([])
      expect(faults.statements.slice(-2)).toEqual(["BEGIN IMMEDIATE", "ROLLBACK"])
    }).pipe(Effect.provide(lane()))
  )
})
