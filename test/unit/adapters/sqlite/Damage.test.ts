import { describe, expect, it } from "@effect/vitest"
import { SqliteClient } from "@effect/sql-sqlite-node"
import Sqlite from "better-sqlite3"
import { Chunk, Effect, Layer, Stream } from "effect"
import { join } from "node:path"
import { type Entry, textOf, userText } from "../../../../src/domain/Message.js"
import { Seq, SessionId } from "../../../../src/domain/Session.js"
import * as Transcript from "../../../../src/domain/Transcript.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import { folder, storageIn } from "../../services/storage/disk.js"
import {
  append as appendTo,
  create,
  createAndStart,
  destroy,
  presence,
  result,
  start,
  storeResult,
  transcriptLines,
  newSession,
  openBatch,
  q1,
  q2,
  question,
  r1,
  r2,
  refused,
  s1,
  s2,
  session,
  transcript
} from "../../../../src/adapters/testing/storage/fixture.js"

/** A storage over a folder, and a way to change its file behind its back. */
const inFolder = <A, E>(
  use: (damage: (statement: string) => Effect.Effect<void>) => Effect.Effect<A, E, Storage | StorageReader>
) =>
  Effect.gen(function* () {
    const directory = yield* folder
    const damage = (statement: string) =>
      Effect.sync(() => {
        const connection = new Sqlite(join(directory, "skein.db"))
        connection.exec(statement)
        connection.close()
      })
    const layer = storageIn(directory).pipe(
      Layer.provide([EventSignals.layer, EngineConfig.layer({ synchronous: "NORMAL" })])
    )
    return yield* Effect.provide(use(damage), layer)
  })

const append = (...texts: ReadonlyArray<string>) => appendTo(s1, texts.map(userText))

/** The entries after a place that can be read before the first damaged one; fails if there are none. */
const page = (after: number) =>
  Effect.flatMap(StorageReader, (reader) => {
    const entries: Array<Entry> = []
    return reader.transcript({ sessionId: s1, from: after + 1 }).pipe(
      Stream.runForEach((entry) => Effect.sync(() => entries.push(entry))),
      Effect.as(entries),
      Effect.catchAll((error) => (entries.length === 0 ? Effect.fail(error) : Effect.succeed(entries)))
    )
  })

describe("a message that does not decode", () => {
  it.scopedLive("is named by its place, and all others stay readable", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1", "2", "3", "4")
        yield* damage(`UPDATE messages SET body = '{"role":"user","parts":[{"type":"text","text":7}]}' WHERE seq = 3`)
        expect((yield* page(0)).map(({ seq }) => Number(seq))).toEqual([1, 2])
        expect(yield* refused(page(2))).toEqual({
          _tag: "RowDamaged",
          sessionId: s1,
          seq: 3,
          detail: "does not decode at parts at 0 at text"
        })
        expect((yield* page(3)).map(({ seq }) => Number(seq))).toEqual([4])
        const reader = yield* StorageReader
        const read: Array<number> = []
        const failure = yield* reader.transcript({ sessionId: s1 }).pipe(
          Stream.runForEach(({ seq }) => Effect.sync(() => void read.push(seq))),
          Effect.flip
        )
        expect(read).toEqual([1, 2])
        expect(failure).toMatchObject({ _tag: "RowDamaged", seq: 3 })
        expect(Chunk.size(yield* Stream.runCollect(reader.transcript({ sessionId: s1, from: 4 })))).toBe(1)
      })
    )
  )

  it.scopedLive("is left out of its event, and does not stop watchers", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("one", "two", "three")
        yield* damage("UPDATE messages SET body = '{' WHERE seq = 2")
        const reader = yield* StorageReader
        const told = yield* reader.events({ sessionId: s1, after: 1, limit: 100, entries: true })
        expect(told.map((event) => ("entry" in event ? event.entry?.seq : null))).toEqual([1, null, 3])
        expect(yield* refused(reader.entry({ sessionId: s1, seq: Seq.make(2) }))).toMatchObject({ _tag: "RowDamaged" })
      })
    )
  )

  it.scopedLive("is never shown in the error", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1")
        yield* damage(`UPDATE messages SET body = '{"role":"a secret' WHERE seq = 1`)
        expect(JSON.stringify(yield* refused(page(0)))).not.toContain("secret")
      })
    )
  )

  it.scopedLive("does not stop further writes", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1", "2")
        yield* damage("UPDATE messages SET body = '' WHERE seq = 2")
        yield* append("3")
        expect((yield* page(2)).map(({ seq }) => Number(seq))).toEqual([3])
      })
    )
  )
})

it.scopedLive("a place or an event without a row is reported, not skipped", () =>
  inFolder((damage) =>
    Effect.gen(function* () {
      yield* create()
      yield* append("1", "2", "3")
      yield* damage("DELETE FROM messages WHERE seq = 2")
      expect((yield* page(0)).map(({ seq }) => Number(seq))).toEqual([1])
      expect(yield* refused(page(1))).toEqual({ _tag: "RowDamaged", sessionId: s1, seq: 2, detail: "is missing" })
      yield* damage("DELETE FROM messages WHERE seq = 1")
      expect(yield* refused(page(0))).toMatchObject({ _tag: "RowDamaged", seq: 1 })

      const reader = yield* StorageReader
      const events = (after: number) => reader.events({ sessionId: s1, after, limit: 10 })
      expect((yield* events(0)).map(({ cursor }) => Number(cursor))).toEqual([1])
      expect(yield* refused(events(1))).toMatchObject({ _tag: "RowDamaged", detail: "event 2 is missing" })
      expect((yield* events(3)).map(({ cursor }) => Number(cursor))).toEqual([4])
      yield* damage("DELETE FROM event_rows WHERE cursor = 1")
      expect(yield* refused(events(0))).toMatchObject({ _tag: "RowDamaged", detail: "event 1 is missing" })
    })
  )
)

it.scopedLive("a message of another version is read as far as it is known, and stays as it was", () =>
  inFolder((damage) =>
    Effect.gen(function* () {
      yield* create()
      yield* append("1", "2")
      const written = '{"role":"user","parts":[{"type":"hologram","depth":3}],"mood":"good"}'
      yield* damage(`UPDATE messages SET body = '${written}' WHERE seq = 1`)
      yield* append("3")
      const [first] = yield* page(0)
      expect(first?.message).toEqual({ role: "user", parts: [{ type: "hologram", depth: 3 }] })
      yield* damage(`CREATE TEMP TABLE same (body TEXT CHECK (body = '${written}'));
        INSERT INTO same SELECT body FROM messages WHERE seq = 1`)
    })
  )
)

it.scopedLive("a missing newest message is reported, and its place is not given out again", () =>
  inFolder((damage) =>
    Effect.gen(function* () {
      yield* create()
      yield* append("1", "2")
      yield* damage("DELETE FROM messages WHERE seq = 2")
      const rest = (yield* StorageReader).transcript({ sessionId: s1, from: 2 })
      expect(yield* refused(Stream.runDrain(rest))).toMatchObject({ _tag: "RowDamaged", seq: 2, detail: "is missing" })
      yield* append("3")
      expect((yield* session()).head).toBe(3)
      expect(yield* refused(Stream.runDrain(rest))).toMatchObject({ _tag: "RowDamaged", seq: 2, detail: "is missing" })
    })
  )
)

it.scopedLive("a session that does not decode is reported, and the others can be read", () =>
  inFolder((damage) =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create()
      yield* create({ id: s2 })
      yield* damage("UPDATE session_rows SET metadata = '[1]' WHERE id = 's1'")
      expect(yield* refused(session(s1))).toMatchObject({ _tag: "RowDamaged", sessionId: s1, seq: null })
      expect(yield* refused(storage.patch(s1, { title: "New" }))).toMatchObject({ _tag: "RowDamaged", sessionId: s1 })
      expect((yield* session(s2)).id).toBe(s2)
      yield* damage("UPDATE session_rows SET metadata = '{}' WHERE id = 's1'")
      expect((yield* session(s1)).title).toBe("Title")
    })
  )
)

it.scopedLive("P2 a host's transaction neither holds back nor undoes what is written within it", () =>
  inFolder(() =>
    Effect.gen(function* () {
      const host = yield* SqliteClient.SqliteClient
      const storage = yield* Storage
      yield* host`CREATE TABLE tickets (id TEXT)`
      const failed = yield* host
        .withTransaction(
          Effect.gen(function* () {
            yield* host`INSERT INTO tickets VALUES ('t1')`
            yield* storage.createSession(newSession())
            yield* append("1")
            expect(yield* transcriptLines()).toEqual(["1 user 1"])
            return yield* Effect.fail("rolled back" as const)
          })
        )
        .pipe(Effect.flip)
      expect(failed).toBe("rolled back")
      expect(yield* host`SELECT * FROM tickets`).toEqual([])
      expect(yield* transcript()).toHaveLength(1)
      expect((yield* session()).owner).toBeNull()
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )
)

describe("a damaged session", () => {
  it.scopedLive("leaves the others readable: lists hold them, and name the damaged one", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* create({ id: s2 })
        yield* damage(`UPDATE session_rows SET metadata = '[' WHERE id = '${s1}'`)
        const reader = yield* StorageReader
        const { damaged, sessions, total } = yield* reader.sessions({ total: true })
        expect(sessions.map(({ id }) => id)).toEqual([s2])
        expect(damaged).toMatchObject([{ _tag: "RowDamaged", sessionId: s1, seq: null }])
        expect(total).toBe(2)
        expect((yield* session(s2)).id).toBe(s2)
        expect(yield* refused(session(s1))).toMatchObject({ _tag: "RowDamaged", sessionId: s1 })
      })
    )
  )

  it.scopedLive("does not hide the questions of other sessions", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        const storage = yield* Storage
        for (const [sessionId, runId, id] of [
          [s1, r1, q1],
          [s2, r2, q2]
        ] as const) {
          const { lease } = yield* createAndStart({ sessionId, runId })
          yield* openBatch(lease, "c1")
          yield* storage.ask(lease, question(id, 3, "c1"))
        }
        yield* damage(`UPDATE questions SET access = '' WHERE id = '${q1}'`)
        const reader = yield* StorageReader
        expect((yield* reader.questions(null)).map(({ id }) => id)).toEqual([q2])
        expect(yield* refused(reader.questions(s1))).toMatchObject({ _tag: "RowDamaged", sessionId: s1 })
      })
    )
  )
})

describe("what is missing from a session", () => {
  it.scopedLive("right before an open call is reported, not skipped", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1", "2")
        const { lease } = yield* start()
        yield* openBatch(lease, "c1")
        yield* damage("DELETE FROM messages WHERE seq IN (3, 4)")
        expect((yield* page(0)).map(({ seq }) => Number(seq))).toEqual([1, 2])
        const whole = Effect.flatMap(StorageReader, (reader) => Stream.runDrain(reader.transcript({ sessionId: s1 })))
        expect(yield* refused(whole)).toMatchObject({ _tag: "RowDamaged", seq: 3, detail: "is missing" })
      })
    )
  )

  it.scopedLive("at its end is replaced by interrupted results before the next run begins", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        const { lease } = yield* createAndStart()
        const { calls } = yield* openBatch(lease, "c1", "c2", "c3")
        for (const { callId, seq } of calls) yield* storeResult(lease, seq, result(callId))
        yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
        yield* damage("DELETE FROM messages WHERE seq IN (4, 5)")
        yield* start({ runId: r2 })
        expect((yield* transcriptLines()).slice(2)).toEqual([
          "3 success c1",
          "4 interrupted c2",
          "5 interrupted c3",
          "6 user Hello"
        ])
        expect(Transcript.isSendable(yield* transcript())).toBe(true)
      })
    )
  )

  it.scopedLive("at its end is replaced by interrupted results before messages are appended", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        const { lease } = yield* createAndStart()
        const { calls } = yield* openBatch(lease, "c1")
        for (const { callId, seq } of calls) yield* storeResult(lease, seq, result(callId))
        yield* (yield* Storage).endRun(lease, { stopReason: "completed", detail: null })
        yield* damage("DELETE FROM messages WHERE seq = 3")
        yield* append("more")
        expect(Transcript.isSendable(yield* transcript())).toBe(true)
        expect((yield* transcriptLines()).slice(2)).toEqual(["3 interrupted c1", "4 user more"])
      })
    )
  )
})

describe("one damaged row does not stop others", () => {
  it.scopedLive("an engine's name that is not JSON", () =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* createAndStart()
        for (const broken of ["", "{", "no JSON"]) {
          yield* damage(`UPDATE runs SET engine = '${broken}'`)
          yield* (yield* Storage).renew(presence(`engine of ${broken}`))
        }
        yield* createAndStart({ sessionId: s2, runId: r2, presence: presence("another") })
        expect(
          (yield* (yield* StorageReader).unsettled({ released: 0, silent: 0 })).map(({ sessionId }) => sessionId)
        ).toEqual([s2])
      })
    )
  )

  it.scopedLive.each([
    "DELETE FROM meta",
    "UPDATE meta SET cursor_floor = 9007199254740993",
    "UPDATE meta SET cursor_floor = -5"
  ])("the number after which cursors begin: %s", (statement) =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1", "2")
        const before = yield* session()
        yield* damage(statement)
        const { cursor, id } = yield* create({ id: s2 })
        expect(Number(cursor)).toBeGreaterThan(Number(before.cursor))
        yield* append("3")
        yield* destroy(id)
        expect(Number((yield* create({ id: s2 })).cursor)).toBeGreaterThan(Number(cursor))
      })
    )
  )

  it.scopedLive.each([
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "UPDATE sqlite_sequence SET seq = 9007199254740993",
    "UPDATE sqlite_sequence SET seq = -5",
    "UPDATE sqlite_sequence SET seq = 'no number'",
    "DELETE FROM sqlite_sequence",
    `INSERT INTO session_rows (ordinal, id, first_cursor, created_at, updated_at, cursor, named, title, workdir, metadata)
     VALUES (9223372036854775807, 'far', 1, 0, 0, 0, 0, 'far', '', '{}')`
  ])("the number of the last session: %s", (statement) =>
    inFolder((damage) =>
      Effect.gen(function* () {
        yield* create()
        yield* append("1")
        yield* damage(statement)
        for (const id of [s2, SessionId.make("third")]) {
          yield* create({ id })
          yield* appendTo(id, [userText(`of ${id}`)])
        }
        expect((yield* transcript()).map(({ message }) => textOf(message))).toEqual(["1"])
        expect((yield* transcript(s2)).map(({ message }) => textOf(message))).toEqual([`of ${s2}`])
        const { sessions } = yield* (yield* StorageReader).sessions({ limit: 2 })
        expect(sessions.map(({ id }) => id)).toEqual(["third", s2])
      })
    )
  )

  it.scopedLive("the number of the last session is not given out again after that session is gone", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const ordinals = (): ReadonlyArray<number> => {
        const connection = new Sqlite(join(directory, "skein.db"), { readonly: true })
        const all = connection.prepare<[], number>("SELECT ordinal FROM session_rows ORDER BY ordinal").pluck().all()
        connection.close()
        return all
      }
      const break_ = () => {
        const connection = new Sqlite(join(directory, "skein.db"))
        connection.exec("UPDATE sqlite_sequence SET seq = 9223372036854775807")
        connection.close()
      }
      yield* Effect.gen(function* () {
        yield* create()
        break_()
        yield* create({ id: s2 })
        expect(ordinals()).toEqual([1, 2])
        yield* destroy(s2)
        yield* create({ id: s2 })
        expect(ordinals()).toEqual([1, 3])
      }).pipe(
        Effect.provide(storageIn(directory)),
        Effect.provide(EventSignals.layer),
        Effect.provide(EngineConfig.layer({ synchronous: "NORMAL" }))
      )
    })
  )
})
