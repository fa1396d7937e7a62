/**
 * Rows that a later version wrote, with fields, words, parts and kinds of messages and events that this version does
 * not know: every session is listed, shown and replayed without a gap, all of them go on, and what is unknown stays as
 * it is. The states of sessions, runs and open calls are not included, nor another role in the place of a call's
 * result: the schema itself restricts these.
 */
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Chunk, Effect, FastCheck, Logger, Stream } from "effect"
import { SessionId } from "../../../../src/domain/Session.js"
import { StorageReader } from "../../../../src/services/storage/Storage.js"
import { engineIn, folder } from "../../services/storage/disk.js"
import { copy } from "../../../support/golden/Golden.js"
import { join } from "node:path"
import { ids, killed, sendToAll } from "./killed.js"
import { damages, databaseIn, look, tamper } from "./populated.js"

const plainer = SessionId.make("plainer")
const full = SessionId.make("full")

/** What a later version may have written into columns, as SQL expressions, and the rows to which it applies. */
interface Change {
  readonly table: string
  readonly columns: Readonly<Record<string, string>>
  readonly where?: string
}

const json = (text: string): string => `json('${text}')`
const later = json('{"deep": [1, null, {"a": "b"}]}')

/** An unknown field at a path of the JSON text in a column. */
const field = (table: string, column: string, path: string, where = "true"): Change => ({
  table,
  columns: { [column]: `json_set(${column}, '${path}.later', ${later})` },
  where: `${where} AND ${column} IS NOT NULL AND json_type(${column}, '${path}') = 'object'`
})

const part = (role: string, value: string): Change => ({
  table: "messages",
  columns: { body: `json_insert(body, '$.parts[#]', ${json(value)})` },
  where: `role = '${role}'`
})

const word = (table: string, column: string, value: string, where = "true"): Change => ({
  table,
  columns: { [column]: `'${value}'` },
  where: `${where} AND ${column} IS NOT NULL`
})

const option = (name: string, value: string): Change => ({
  table: "session_rows",
  columns: { model: `json_set(model, '$.options.${name}', ${json(value)})` },
  where: "model IS NOT NULL"
})

const changes: Readonly<Record<string, Change>> = {
  "a field of messages": field("messages", "body", "$"),
  "a field of parts": field("messages", "body", "$.parts[0]"),
  "a field of usage": field("messages", "body", "$.usage"),
  "a field of a message's model": field("messages", "body", "$.model"),
  "a field of a queued message": field("runs", "message", "$"),
  "a field of an engine": field("runs", "engine", "$"),
  "a field of an answer": field("questions", "answer", "$"),
  "a field of a model": field("session_rows", "model", "$"),
  "a field of a draft": field("drafts", "body", "$"),
  "a part of a user": part("user", '{"type": "hologram", "depth": 3}'),
  "a part of an assistant": part("assistant", '{"type": "hologram", "depth": 3}'),
  "a file of an assistant": part("assistant", '{"type": "file", "bytes": 3}'),
  "a call of a user": part("user", '{"type": "call", "who": "me"}'),
  "parts of a result": {
    table: "messages",
    columns: {
      body: `json_set(body, '$.parts', ${json('[{"type": "hologram"}, {"type": "text", "text": "later"}]')})`
    },
    where: "role = 'tool'"
  },
  "a reason to finish": {
    table: "messages",
    columns: { body: "json_set(body, '$.finish', 'bored')" },
    where: "role = 'assistant'"
  },
  "an outcome": {
    table: "messages",
    columns: { outcome: "'half-done'", body: "json_set(body, '$.outcome', 'half-done')" },
    where: "role = 'tool'"
  },
  "a role": {
    table: "messages",
    columns: { role: "'critic'", body: "json_set(body, '$.role', 'critic')" },
    where: "role <> 'tool'"
  },
  "a role of a queued message": {
    table: "runs",
    columns: { message: "json_set(message, '$.role', 'critic')" },
    where: "message IS NOT NULL"
  },
  "a reason to stop": word("runs", "stop_reason", "bored"),
  "an access": word("questions", "access", "admin"),
  "a verdict": {
    table: "questions",
    columns: { verdict: "'allow-for-a-day'", answer: "json_set(answer, '$.verdict', 'allow-for-a-day')" },
    where: "answer IS NOT NULL"
  },
  "an event": word("event_rows", "type", "session.painted", "type <> 'session.created'"),
  "a media type": word("assets", "media_type", "Model/3D; v=2"),
  "an effort": option("reasoningEffort", '"ultra"'),
  "an option of another kind": option("temperature", '"hot"'),
  "an option": option("mood", '"good"')
}

/** Applies a change to every row to which it can be applied, or to every `every`-th of them. */
const apply = (data: string, { columns, table, where = "true" }: Change, every = 1): void => {
  const sets = Object.entries(columns).map(([column, value]) => `${column} = ${value}`)
  const key = table === "event_rows" ? "cursor" : table === "drafts" ? "session" : "rowid"
  tamper(data, `UPDATE ${table} SET ${sets.join(", ")} WHERE ${where} AND ${key} % ${every} = 0`)
}

/** The values that this version never rewrites: everything except states, leases and the like. */
const kept = {
  messages: "SELECT session, seq, role, outcome, body FROM messages ORDER BY session, seq",
  runs: "SELECT id, stop_reason FROM runs WHERE stop_reason IS NOT NULL ORDER BY id",
  questions: "SELECT id, access, verdict, answer FROM questions WHERE answer IS NOT NULL ORDER BY id",
  event_rows: "SELECT session, cursor, type FROM event_rows ORDER BY session, cursor",
  assets: "SELECT session, id, media_type FROM assets ORDER BY session, id",
  session_rows: "SELECT id, model FROM session_rows ORDER BY id"
}

const keptRows = (data: string): ReadonlyArray<string> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const rows = Object.entries(kept).flatMap(([name, query]) =>
    connection
      .prepare<[], object>(query)
      .all()
      .map((row) => JSON.stringify([name, row]))
  )
  connection.close()
  return rows
}

const reading = <A, E>(data: string, read: Effect.Effect<A, E, StorageReader>) =>
  read.pipe(Effect.provide(engineIn(data)), Effect.provide(Logger.remove(Logger.defaultLogger)))

const transcript = (id: SessionId) =>
  Effect.flatMap(StorageReader, (reader) =>
    Effect.map(Stream.runCollect(reader.transcript({ sessionId: id })), Chunk.toReadonlyArray)
  )

const events = (id: SessionId) =>
  Effect.flatMap(StorageReader, (reader) => reader.events({ sessionId: id, after: 0, limit: 10_000 }))

/** Everything that can be read from the folder, as far as it does not depend on what is unknown. */
const seen = Effect.gen(function* () {
  const reader = yield* StorageReader
  const { damaged, sessions } = yield* reader.sessions({})
  const each = yield* Effect.forEach(sessions, ({ head, id }) =>
    Effect.gen(function* () {
      const told = yield* events(id)
      const cursors = told.map(({ cursor }) => cursor)
      const runIds = new Set(told.flatMap((event) => ("runId" in event && event.runId !== null ? [event.runId] : [])))
      const runs = yield* Effect.forEach([...runIds].toSorted(), (runId) => reader.run(runId))
      const seqs = (yield* transcript(id)).map(({ seq }) => seq)
      const { queued } = yield* reader.activity(id)
      const open = (yield* reader.questions(id)).length
      const assets = (yield* reader.assets(id)).map(({ id }) => id)
      yield* reader.draft(id)
      const states = runs.map(({ id, state }) => `${id} ${state}`)
      return { id, head, seqs, cursors, queued: queued.length, open, assets, states }
    })
  )
  return { damaged, each }
})

/** Opens the folder, compares what can be read, finds no damage, and goes on with every session. */
const holds = (base: string, data: string) =>
  Effect.gen(function* () {
    expect(yield* reading(data, seen)).toEqual(yield* reading(base, seen))
    expect(damages(yield* look(data))).toEqual([])
    const stored = keptRows(data)
    expect((yield* sendToAll(data)).toSorted()).toEqual(ids.map((id) => `${id} completed`).toSorted())
    expect(yield* reading(data, seen)).toMatchObject({ damaged: [] })
    expect(keptRows(data)).toEqual(expect.arrayContaining([...stored]))
  })

it.scopedLive.each(Object.keys(changes))(
  "P13 %s that this version does not know is kept, and every session goes on",
  (name) =>
    Effect.gen(function* () {
      const base = yield* killed
      const data = copy(base, join(yield* folder, "data"))
      const before = keptRows(data)
      apply(data, changes[name] ?? (yield* Effect.die("no such change")))
      if (!["draft", "queued", "engine"].some((what) => name.includes(what))) expect(keptRows(data)).not.toEqual(before)
      yield* holds(base, data)
    })
)

it.scopedLive("P13 clients see what this version does not know as unknown", () =>
  Effect.gen(function* () {
    const data = yield* killed
    for (const name of [
      "a part of a user",
      "parts of a result",
      "a reason to finish",
      "an outcome",
      "a reason to stop",
      "an access",
      "a verdict",
      "an event",
      "an effort",
      "a media type"
    ]) {
      apply(data, changes[name] ?? (yield* Effect.die("no such change")))
    }
    tamper(
      data,
      "UPDATE messages SET role = 'critic', body = json_set(body, '$.role', 'critic') WHERE session = 42 AND seq = 1"
    )
    yield* reading(
      data,
      Effect.gen(function* () {
        const reader = yield* StorageReader
        const entries = [...(yield* transcript(plainer)), ...(yield* transcript(full))].map(({ message }) => message)
        expect(entries[0]).toMatchObject({ role: "other", unknownRole: "critic", stored: { role: "critic" } })
        const users = entries.filter((message) => message.role === "user")
        expect(users.map(({ parts }) => parts.at(-1))).toContainEqual({ type: "hologram", depth: 3 })
        const answers = entries.flatMap((message) => (message.role === "assistant" ? [message.finish] : []))
        expect([...new Set(answers)]).toEqual(["other"])
        const results = entries.flatMap((message) => (message.role === "tool" ? [message.parts] : []))
        expect(new Set(results.map((parts) => JSON.stringify(parts)))).toEqual(
          new Set(['[{"type":"hologram"},{"type":"text","text":"later"}]'])
        )
        const outcomes = entries.flatMap((message) => (message.role === "tool" ? [message.outcome] : []))
        expect([...new Set(outcomes)]).toEqual(["other"])
        const told = [...(yield* events(plainer)), ...(yield* events(full))]
        const types = new Set(told.map(({ type }) => type))
        expect([...types].toSorted()).toEqual(["message.appended", "other", "session.created"])
        const other = told.find((event) => event.type === "other")
        expect(other).toMatchObject({ type: "other", unknownType: "session.painted" })
        const { model } = yield* reader.session(full)
        expect(model).toEqual({ provider: "anthropic", model: "m", options: { temperature: 0.5 } })
        const assets = yield* reader.assets(full)
        expect(assets.map(({ mediaType }) => mediaType)).toContain("Model/3D; v=2")
        const [question] = yield* reader.questions(null)
        expect(question?.access).toBe("write")
      })
    )
  })
)

it.scopedLive("P13 events of known types report unknown words as `other`", () =>
  Effect.gen(function* () {
    const data = yield* killed
    for (const name of ["an outcome", "a reason to stop", "a verdict", "a role"]) {
      apply(data, changes[name] ?? (yield* Effect.die("no such change")))
    }
    yield* reading(
      data,
      Effect.gen(function* () {
        const told = (yield* Effect.forEach(ids, events)).flat()
        const ends = told.flatMap((event) =>
          event.type === "run.ended" ? [`${event.stopReason} ${event.detail}`] : []
        )
        expect(ends).toContain("other bored")
        expect(ends.every((end) => end.startsWith("other bored"))).toBe(true)
        const words = told.flatMap((event) => {
          if (event.type === "call.finished") return [event.outcome]
          if (event.type === "permission.answered") return [event.verdict]
          return event.type === "message.appended" ? [event.role] : []
        })
        expect([...new Set(words)].toSorted()).toEqual(["other", "tool"])
      })
    )
  })
)

const several = FastCheck.subarray(Object.values(changes), { minLength: 4, maxLength: 10 })

it.scopedLive.prop(
  "P13 every session goes on, whatever a later version wrote in all rows or in some",
  [several, FastCheck.integer({ min: 1, max: 3 })],
  ([several, every]) =>
    Effect.gen(function* () {
      const base = yield* killed
      const data = copy(base, join(yield* folder, "data"))
      for (const change of several) apply(data, change, every)
      yield* holds(base, data)
    }),
  { fastCheck: { numRuns: 5 } }
)
