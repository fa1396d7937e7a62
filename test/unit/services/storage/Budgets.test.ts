/**
 * What operations of a storage may cost, counted at two sizes of what is stored: statements, rows, commits. Flat costs
 * are the same at both sizes, and no statement scans a table that grows. Nothing here is timed.
 */
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Array, Effect, Layer, Stream } from "effect"
import { join } from "node:path"
import {
  anyTime,
  append,
  appendStep,
  assistant,
  create,
  openBatch,
  question,
  result,
  s1,
  seq,
  session,
  start,
  storeResult
} from "../../../../src/adapters/testing/storage/fixture.js"
import * as StorageTest from "../../../../src/adapters/testing/storage/StorageTest.js"
import { userText } from "../../../../src/domain/Message.js"
import { QuestionId } from "../../../../src/domain/Permission.js"
import { RunId } from "../../../../src/domain/Run.js"
import { Owner, SessionId } from "../../../../src/domain/Session.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as Query from "../../../../src/services/storage/sql/Query.js"
import * as SqlStorage from "../../../../src/services/storage/sql/SqlStorage.js"
import * as WriteLane from "../../../../src/services/storage/sql/lane/WriteLane.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import * as SequentialIds from "../../../support/SequentialIds.js"
import * as Counted from "./Counted.js"
import { folder } from "./disk.js"

const storageIn = (directory: string) =>
  SqlStorage.layer.pipe(
    Layer.provide(Query.layer),
    Layer.provide(WriteLane.layer),
    Layer.provide(Counted.database),
    Layer.provideMerge(Counted.counter),
    Layer.provide([SequentialIds.layer, Layer.succeed(DataDirectory, directory), EventSignals.layer]),
    Layer.provide(EngineConfig.layer({ synchronous: "NORMAL" }))
  )

const day = 24 * 60 * 60 * 1000
const ann = Owner.make("ann")

/** Fills one session with `size` messages and as many further events. */
const fill = (size: number, set: (now: number) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* create()
    const portion = Math.min(size, 500) / 2
    for (let n = 0; n < size; n += portion) {
      yield* set(Math.round(day + (day * n) / size))
      yield* append(
        s1,
        Array.makeBy(portion, (m) => userText(`message ${n + m}`))
      )
      yield* Effect.forEach(Array.makeBy(portion, String), (title) => storage.patch(s1, { title }), {
        concurrency: "unbounded",
        discard: true
      })
    }
  })

/** Adds `count` sessions of Ann. */
const addSessions = (directory: string, count: number): void => {
  const connection = new Sqlite(join(directory, "skein.db"))
  connection.exec(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
     INSERT INTO session_rows
       (id, first_cursor, created_at, updated_at, active_at, cursor, named, title, owner, workdir, metadata)
     SELECT 'session-' || n, 1, 0, n * 500, n / 2, 1, 1, 'Title', '${ann}', '/of-ann', '{}' FROM numbers`
  )
  connection.exec(
    `INSERT INTO event_rows (session, cursor, mark, at, type)
     SELECT ordinal, 1, 0, 0, 'session.created' FROM session_rows WHERE owner = '${ann}'`
  )
  connection.close()
}

const costOf = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const counter = yield* Counted.Counter
    const before = { ...counter }
    yield* work
    const [reads, writes, commits] = [
      counter.reads - before.reads,
      counter.writes - before.writes,
      counter.commits - before.commits
    ]
    return { reads, writes, commits, rows: counter.rows + counter.changed - before.rows - before.changed }
  })

/** The cost of each operation, in a session with `size` messages and events, among as many sessions. */
const costs = (size: number) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const reader = yield* StorageReader
    const { cursor } = yield* session()
    const middle = Math.floor(size / 2)
    const lease = { sessionId: s1, runId: RunId.make("r"), fence: 1 }
    const page = (from: number) => Stream.runDrain(reader.transcript({ sessionId: s1, from, to: from + 39 }))
    const operations: Readonly<Record<string, Effect.Effect<unknown, unknown, Storage | StorageReader>>> = {
      session: reader.session(s1),
      transcript: page(middle),
      "end of a transcript": page(size - 39),
      events: reader.events({ sessionId: s1, after: Math.floor(cursor / 2), limit: 40 }),
      "newest events": reader.events({ sessionId: s1, after: cursor - 40, limit: 40 }),
      activity: reader.activity(s1),
      occupancy: reader.occupancy(s1),
      "open batch": reader.openBatch(s1),
      draft: reader.draft(s1),
      questions: reader.questions(s1),
      granted: reader.granted(s1),
      assets: reader.assets(s1),
      unsettled: reader.unsettled(anyTime),
      deleting: reader.deleting,
      list: reader.sessions({ limit: 40 }),
      "list with its total": reader.sessions({ limit: 40, total: true }),
      "list of an owner": reader.sessions({ limit: 40, owner: ann }),
      "list of a folder": reader.sessions({ limit: 40, workdir: "/of-ann" }),
      "list of active sessions": reader.sessions({ limit: 40, activity: ["queued", "running", "asks", "crashed"] }),
      "list of running sessions": reader.sessions({ limit: 40, activity: ["running"], order: "activity" }),
      "list of idle sessions": reader.sessions({ limit: 40, activity: ["idle"] }),
      "list by activity": reader.sessions({ limit: 40, order: "activity" }),
      "list by activity of an owner": reader.sessions({ limit: 40, order: "activity", owner: ann }),
      "list by the beginning of an id": reader.sessions({ limit: 5, idPrefix: SessionId.make("session-1") }),
      leases: reader.tenancies,
      states: reader.states([s1, SessionId.make("session-1"), SessionId.make("session-2")]),
      "changes of a time": reader.changes({ from: 0, to: 10_000, limit: 40 }),
      append: append(s1, [userText("one")]),
      rename: storage.patch(s1, { title: "one" }),
      patch: storage.patch(s1, { metadata: { a: 1 } }),
      create: create({ id: SessionId.make("new") }),
      begin: start({ runId: lease.runId }),
      step: openBatch(lease, "c1", "c2"),
      "start of a call": storage.startCall(lease, seq(size + 4)),
      question: storage.ask(lease, question(QuestionId.make("q"), size + 5, "c2")),
      result: storeResult(lease, seq(size + 5), result("c2")),
      "last result": storeResult(lease, seq(size + 4), result("c1")),
      answer: appendStep(lease, assistant("done"), { end: { stopReason: "completed", detail: null } })
    }
    const pairs = yield* Effect.forEach(Object.entries(operations), ([name, operation]) =>
      Effect.map(costOf(operation), (cost) => [name, cost] as const)
    )
    return Object.fromEntries(pairs)
  })

/**
 * How SQLite reads the growing tables for these statements, and which pages it sorts out of everything that there is.
 */
const plansOf = (directory: string, all: Iterable<string>) => {
  const connection = new Sqlite(join(directory, "skein.db"), { readonly: true })
  const statements = [...all].filter((statement) => /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/.test(statement))
  const planned = statements.map((statement) => {
    const steps = connection
      .prepare<Array<null>, { readonly detail: string }>(`EXPLAIN QUERY PLAN ${statement}`)
      .all(...Array.makeBy(statement.split("?").length, () => null).slice(1))
    return { statement, details: steps.map(({ detail }) => detail) }
  })
  connection.close()
  const sorted = planned.filter(
    ({ details, statement }) => /LIMIT \?\s*$/.test(statement) && details.includes("USE TEMP B-TREE FOR ORDER BY")
  )
  return {
    plans: Array.dedupe(planned.flatMap(({ details }) => details)).toSorted(),
    sorted: sorted.map(({ statement }) => statement)
  }
}

const [few, many] = [100, 10_000]

const counted = <A, E>(
  size: number,
  test: (directory: string) => Effect.Effect<A, E, Storage | StorageReader | Counted.Counter>
) =>
  Effect.gen(function* () {
    const directory = yield* folder
    const { clock, set } = StorageTest.handClock()
    return yield* Effect.zipRight(
      fill(size, set),
      Effect.suspend(() => test(directory))
    ).pipe(Effect.provide(storageIn(directory)), Effect.withClock(clock))
  })

it.scopedLive("operations cost the same in a long session among many as in a short one among few", () =>
  Effect.gen(function* () {
    const small = yield* counted(few, (directory) => {
      addSessions(directory, few)
      return costs(few)
    })
    const { large, plans, sorted } = yield* counted(many, (directory) =>
      Effect.gen(function* () {
        addSessions(directory, many)
        const large = yield* costs(many)
        return { large, ...plansOf(directory, (yield* Counted.Counter).statements) }
      })
    )
    expect(large).toEqual(small)
    for (const [name, { commits, rows }] of Object.entries(large)) {
      expect([name, commits <= 1, rows <= 90]).toEqual([name, true, true])
    }
    expect(
      plans.filter((plan) => /^SCAN (messages|event_rows|calls|runs|unended|waiting|session_rows)/.test(plan))
    ).toEqual([
      "SCAN runs USING INDEX runs_running",
      // Only for a total that was asked for.
      "SCAN session_rows USING COVERING INDEX session_rows_active",
      "SCAN session_rows USING INDEX session_rows_going",
      "SCAN unended USING INDEX runs_active",
      "SCAN waiting USING INDEX runs_active"
    ])
    // Only sessions that go on, and those whose ids begin alike, which are few.
    expect(sorted).toEqual([
      expect.stringContaining("ORDER BY +session_rows.active_at"),
      expect.stringContaining("ORDER BY +session_rows.ordinal")
    ])
    expect(plans).toContain("SEARCH session_rows USING INDEX sqlite_autoindex_session_rows_1 (id>? AND id<?)")
    expect(plans.filter((plan) => /session_rows_(active|owner|owner_active|workdir) \(/.test(plan))).toEqual([
      "SEARCH session_rows USING INDEX session_rows_active (active_at<?)",
      "SEARCH session_rows USING INDEX session_rows_active (active_at>? AND active_at<?)",
      "SEARCH session_rows USING INDEX session_rows_owner (owner=? AND rowid<?)",
      "SEARCH session_rows USING INDEX session_rows_owner_active (owner=? AND active_at<?)",
      "SEARCH session_rows USING INDEX session_rows_workdir (workdir=? AND rowid<?)"
    ])
  })
)

it.scopedLive("old events are found by few reads, and removed in portions of a bounded size", () =>
  Effect.gen(function* () {
    const portions = (size: number) =>
      counted(size, () =>
        Effect.gen(function* () {
          const { prune } = yield* Storage
          const retention = { before: day + day / 2, keep: 10 * many, since: Number.MAX_SAFE_INTEGER }
          const all: Array<Effect.Effect.Success<ReturnType<typeof costOf>>> = []
          for (let more = true; more;) {
            const cost = yield* costOf(Effect.map(prune(retention), (left) => (more = left)))
            all.push(cost)
          }
          return {
            all,
            kept: (yield* (yield* StorageReader).events({ sessionId: s1, after: 0, limit: 1 }))[0]?.cursor
          }
        })
      )
    const { all: small, kept } = yield* portions(few)
    const { all: large, kept: keptOfMany } = yield* portions(many)
    expect([small.length, kept, keptOfMany]).toEqual([1, few + 2, many + 2])
    for (const { commits, reads, rows, writes } of [...small, ...large]) {
      expect(commits).toBe(1)
      expect(writes).toBeLessThanOrEqual(110)
      expect(rows).toBeLessThanOrEqual(900)
      expect(reads).toBeLessThanOrEqual(15 * 15)
    }
  })
)

it.scopedLive("a session is deleted in portions of a bounded size", () =>
  Effect.gen(function* () {
    const portions = (size: number) =>
      counted(size, () =>
        Effect.gen(function* () {
          const storage = yield* Storage
          const all = [yield* costOf(storage.beginDelete(s1)), yield* costOf(storage.hide(s1))]
          for (let removed = 1; removed > 0;) {
            all.push(yield* costOf(Effect.map(storage.purge(s1), (count) => (removed = count))))
          }
          return [...all, yield* costOf(storage.forget(s1))]
        })
      )
    const [small, large] = [yield* portions(few), yield* portions(many)]
    for (const { commits, reads, rows, writes } of [...small, ...large]) {
      expect(commits).toBeLessThanOrEqual(1)
      expect(reads).toBe(0)
      expect(writes).toBeLessThanOrEqual(20)
      expect(rows).toBeLessThanOrEqual(1_100)
    }
  })
)
