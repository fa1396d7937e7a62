/** Data folders that released versions left, each killed in the middle of its work. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Chunk, Effect, Layer, Logger, Stream } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { textOf } from "../../../../src/domain/Message.js"
import { QuestionId } from "../../../../src/domain/Permission.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { StorageReader } from "../../../../src/services/storage/Storage.js"
import * as Golden from "../../../support/golden/Golden.js"
import { promised } from "../../../support/golden/Promised.js"
import { engineIn } from "../../services/storage/disk.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import { damages, engineOn, look, repair, spoil } from "./populated.js"

/** Some of what is tested here is only in the folder of version 0.1.0. */
const copied = Golden.copied(Golden.golden("0.1.0"))

/** Without the log of the migration. */
const quietly = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.provide(layer, Logger.remove(Logger.defaultLogger))

const asking = SessionId.make("asking")
const drafting = SessionId.make("drafting")
const held = SessionId.make("held")

describe.each(Golden.versions)("P13 the folder of version %s", (version) => {
  for (const [name, check] of promised) it.scopedLive(`P13 ${version}: ${name}`, () => check(Golden.golden(version)))

  it.scopedLive(`P13 ${version}: timelines have every step and result, and events carry their messages`, () =>
    Effect.gen(function* () {
      const directory = yield* Golden.copied(Golden.golden(version))
      yield* Effect.gen(function* () {
        const reader = yield* StorageReader
        const { sessions } = yield* reader.sessions({})
        expect(sessions.length).toBeGreaterThan(3)
        for (const { id: sessionId } of sessions) {
          const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(reader.transcript({ sessionId })))
          const rows = Chunk.toReadonlyArray(yield* Stream.runCollect(reader.timeline({ sessionId })))
          const shown = rows.filter((row) => row.type === "step" || row.endedAt !== null).map(({ seq }) => seq)
          const spoken = entries.filter(({ message }) => message.role === "assistant" || message.role === "tool")
          expect(shown).toEqual(expect.arrayContaining(spoken.map(({ seq }) => seq)))
          const told = yield* reader.events({ sessionId, after: 0, limit: 1_000, entries: true })
          for (const event of told) {
            if (event.type === "message.appended") expect(event.entry?.seq).toBe(event.seq)
          }
        }
      }).pipe(Effect.provide(quietly(engineIn(directory))))
    })
  )
})

it.scopedLive("P13 0.1.0: answers keep their verdicts, in their columns and in their JSON texts", () =>
  Effect.gen(function* () {
    const directory = yield* copied
    const path = join(directory, "skein.db")
    yield* Effect.gen(function* () {
      const reader = yield* StorageReader
      const plainer = SessionId.make("plainer")
      const connection = new Sqlite(path, { readonly: true })
      const ids = connection
        .prepare<[], string>("SELECT id FROM questions WHERE answer IS NOT NULL ORDER BY ordinal")
        .pluck()
        .all()
      connection.close()
      const questions = yield* Effect.forEach(ids, (id) => reader.question(QuestionId.make(id)))
      expect(questions.map(({ answer }) => answer)).toEqual([
        { verdict: "allow-once", message: null, by: "ann" },
        { verdict: "deny", message: "not now", by: null },
        { verdict: "allow-for-session", message: null, by: null }
      ])
      const events = yield* reader.events({ sessionId: plainer, after: 0, limit: 1_000 })
      expect(events.flatMap((event) => (event.type === "permission.answered" ? [event.verdict] : []))).toEqual([
        "allow-once",
        "deny",
        "allow-for-session"
      ])
      expect(yield* reader.granted(plainer)).toEqual(new Set(["danger"]))
    }).pipe(Effect.provide(quietly(engineIn(directory))))
  })
)

/** Every row of every table. */
const rowsOf = (path: string) => {
  const connection = new Sqlite(path, { readonly: true })
  const names = connection.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all()
  const rows = names.map((name) => [name, connection.prepare<[], object>(`SELECT * FROM "${name}"`).all()] as const)
  connection.close()
  return rows
}

/** What the kill left is as it should be; nothing needs a repair. */
const notes = ["migration-copy", "run-left-behind", "run-left-behind", "run-left-behind"]

it.scopedLive(
  "P13 0.1.0: the database is copied before rows are rewritten; a doctor finds no damage and changes nothing",
  () =>
    Effect.gen(function* () {
      const directory = yield* copied
      yield* Effect.void.pipe(Effect.provide(quietly(engineIn(directory))))
      expect(readdirSync(directory).filter((name) => name.includes(".before-"))).toHaveLength(1)
      expect(damages(yield* look(directory))).toEqual([])
      const rows = rowsOf(join(directory, "skein.db"))
      const outcomes = yield* repair(directory)
      expect(outcomes.map(({ finding }) => finding.kind).toSorted()).toEqual(notes)
      expect(outcomes.every(({ _tag }) => _tag === "Found")).toBe(true)
      expect(rowsOf(join(directory, "skein.db"))).toEqual(rows)
    })
)

it.scopedLive("P13 0.1.0: a database with a damaged page is rebuilt as it was, and migrated like any other", () =>
  Effect.gen(function* () {
    const data = yield* copied
    const path = join(data, "skein.db")
    const before = new Sqlite(path)
    before.pragma("wal_checkpoint(TRUNCATE)")
    const root = before
      .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'runs_active'")
      .pluck()
      .get()
    before.close()
    spoil(path, root ?? 0)
    expect(damages(yield* look(data))).toEqual([`${path}: pages-damaged`])
    expect(damages(yield* repair(data))).toEqual([])
    yield* Effect.void.pipe(Effect.provide(quietly(engineIn(data))))
    expect(damages(yield* look(data))).toEqual([])
    const after = new Sqlite(path, { readonly: true })
    expect(after.prepare("SELECT verdict FROM questions ORDER BY ordinal").pluck().all()).toEqual([
      "allow-once",
      "deny",
      "allow-for-session",
      null
    ])
    after.close()
  })
)

it.scopedLive("P13 0.1.0: rows from before columns were added are recognized when the schema is lost", () =>
  Effect.gen(function* () {
    const data = yield* copied
    const path = join(data, "skein.db")
    yield* Effect.void.pipe(Effect.provide(quietly(engineIn(data))))
    const counted = () => {
      const connection = new Sqlite(path, { readonly: true })
      const count = (table: string) => connection.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get()
      const counts = ["messages", "runs", "event_rows", "session_rows"].map((table) => [table, count(table)])
      connection.close()
      return counts
    }
    const before = counted()
    const reading = new Sqlite(path)
    reading.pragma("wal_checkpoint(TRUNCATE)")
    const schema = reading.prepare<[], number>("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema'").pluck().all()
    reading.close()
    for (const page of schema) spoil(path, page)
    expect(damages(yield* repair(data))).toEqual([])
    expect(counted()).toEqual(before)
  })
)

it.scopedLive("P13 0.1.0: interrupted work goes on: a draft, a started call with a queue behind it, a question", () =>
  Effect.gen(function* () {
    const directory = yield* copied
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      const model = yield* ScriptedModel.ScriptedModel
      const since = (sessionId: SessionId, after: number) =>
        Effect.map(Stream.runCollect(gateway.transcript({ sessionId })), (entries) =>
          Chunk.toReadonlyArray(entries)
            .slice(after)
            .map(({ message }) =>
              message.role === "tool" ? `${message.role} ${message.outcome}` : `${message.role} ${textOf(message)}`
            )
        )
      const go = (sessionId: SessionId) =>
        Effect.flatMap(gateway.send({ sessionId, text: "and now", whenBusy: "queue" }), gateway.await)

      yield* model.play({ text: "the first" }, { text: "the second" }, { text: "the third" })
      yield* go(held)
      expect(yield* since(held, 2)).toEqual([
        "tool success",
        "tool interrupted",
        "user queued one",
        "assistant the first",
        "user queued two",
        "assistant the second",
        "user and now",
        "assistant the third"
      ])

      yield* model.play({ text: "no draft" })
      yield* go(drafting)
      expect(yield* since(drafting, 0)).toEqual(["user writing", "user and now", "assistant no draft"])

      yield* model.play({ text: "thanks" }, { text: "the last" })
      const [question] = yield* gateway.questions({ sessionId: asking })
      const queued = yield* gateway.send({ sessionId: asking, text: "and now", whenBusy: "queue" })
      yield* gateway.answer({ questionId: question?.id ?? QuestionId.make("none"), verdict: "allow-once" })
      yield* gateway.await(queued)
      expect(yield* since(asking, 2)).toEqual([
        "tool unknown-tool",
        "tool success",
        "assistant thanks",
        "user and now",
        "assistant the last"
      ])
    }).pipe(Effect.provide(quietly(engineOn(directory))))
  })
)

it.scopedLive("P13 an answer whose text does not parse does not stop the migration", () =>
  Effect.gen(function* () {
    const directory = yield* copied
    const path = join(directory, "skein.db")
    const before = new Sqlite(path)
    before.exec("UPDATE questions SET answer = '{' WHERE verdict = 'once'")
    before.close()
    yield* Effect.void.pipe(Effect.provide(quietly(engineIn(directory))))
    const after = new Sqlite(path, { readonly: true })
    expect(after.prepare("SELECT verdict, answer FROM questions WHERE answer = '{'").all()).toEqual([
      { verdict: "allow-once", answer: "{" }
    ])
    after.close()
  })
)
