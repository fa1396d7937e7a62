/** Rows that a later version wrote are read as far as this one knows them; none takes its session with it. */
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Chunk, Effect, Logger, Stream } from "effect"
import { SessionId } from "../../../../src/domain/Session.js"
import { StorageReader } from "../../../../src/services/storage/Storage.js"
import { engineIn } from "../../services/storage/disk.js"
import { ids, killed, sendToAll, sessions } from "./killed.js"
import { databaseIn, tamper } from "./populated.js"

const plainer = SessionId.make("plainer")
const full = SessionId.make("full")

const reading = <A, E>(data: string, read: Effect.Effect<A, E, StorageReader>) =>
  read.pipe(Effect.provide(engineIn(data)), Effect.provide(Logger.remove(Logger.defaultLogger)))

const listed = Effect.gen(function* () {
  const { damaged, sessions } = yield* (yield* StorageReader).sessions({})
  return { damaged: damaged.map(({ sessionId }) => sessionId), sessions: sessions.map(({ id }) => id).toSorted() }
})

const transcript = (id: SessionId, from = 1) =>
  Effect.flatMap(StorageReader, (reader) =>
    Effect.map(Stream.runCollect(reader.transcript({ sessionId: id, from })), Chunk.toReadonlyArray)
  )

const events = (id: SessionId, after: number) =>
  Effect.flatMap(StorageReader, (reader) => reader.events({ sessionId: id, after, limit: 1_000 }))

/** The messages of the session as they are stored. */
const storedMessages = (data: string) => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const bodies = connection
    .prepare<[number], string>("SELECT body FROM messages WHERE session = ? ORDER BY seq")
    .pluck()
  const all = bodies.all(sessions.plainer)
  connection.close()
  return all
}

const all = { damaged: [], sessions: ids.toSorted() }
const allComplete = ids.map((id) => `${id} completed`).toSorted()

const of = (ordinal: number, rest: string) => `WHERE session = ${ordinal} AND ${rest}`

it.scopedLive("P13 unknown fields, parts and options are kept, and all goes on", () =>
  Effect.gen(function* () {
    const data = yield* killed
    const before = yield* reading(data, transcript(plainer))
    tamper(
      data,
      `UPDATE messages SET body = json_set(body, '$.mood', 'good') ${of(sessions.plainer, "true")}`,
      `UPDATE messages SET body = json_insert(body, '$.parts[#]', json('{"type":"hologram","depth":3}'))
       ${of(sessions.plainer, "role <> 'tool'")}`,
      `UPDATE questions SET answer = json_set(answer, '$.mood', 'good') ${of(sessions.plainer, "answer IS NOT NULL")}`,
      "UPDATE session_rows SET model = json_set(model, '$.options.mood', 'good') WHERE id = 'full'"
    )
    const stored = storedMessages(data)
    yield* reading(
      data,
      Effect.gen(function* () {
        expect(yield* listed).toEqual(all)
        expect(yield* transcript(plainer)).toEqual(
          before.map(({ message, ...entry }) => ({
            ...entry,
            message:
              message.role === "tool"
                ? message
                : { ...message, parts: [...message.parts, { type: "hologram", depth: 3 }] }
          }))
        )
        const model = { provider: "anthropic", model: "m", options: { temperature: 0.5, reasoningEffort: "low" } }
        expect((yield* (yield* StorageReader).session(full)).model).toEqual(model)
      })
    )
    expect((yield* sendToAll(data)).toSorted()).toEqual(allComplete)
    expect(storedMessages(data).slice(0, stored.length)).toEqual(stored)
  })
)

it.scopedLive.each<readonly [what: string, change: string]>([
  ["event", `UPDATE event_rows SET type = 'session.painted' ${of(sessions.plainer, "type = 'session.renamed'")}`],
  ["reason to stop", `UPDATE runs SET stop_reason = 'bored' ${of(sessions.plainer, "stop_reason = 'cancelled'")}`],
  ["verdict", `UPDATE questions SET verdict = 'maybe' ${of(sessions.plainer, "verdict = 'deny'")}`]
])(
  "P13 an unknown %s is named where it is; what comes before and after it can be read, and all goes on",
  ([, change]) =>
    Effect.gen(function* () {
      const data = yield* killed
      const [before, told] = yield* reading(data, Effect.all([transcript(plainer), events(plainer, 0)]))
      tamper(data, change)
      yield* reading(
        data,
        Effect.gen(function* () {
          expect(yield* listed).toEqual(all)
          expect(yield* transcript(plainer)).toEqual(before)
          const first = yield* events(plainer, 0)
          expect(first.length).toBeLessThan(told.length)
          expect(first.length).toBeGreaterThan(0)
          expect(yield* Effect.flip(events(plainer, first.length))).toMatchObject({
            _tag: "RowDamaged",
            sessionId: plainer
          })
          const rest = yield* events(plainer, first.length + 1)
          expect(rest).toEqual(told.slice(first.length + 1))
        })
      )
      expect((yield* sendToAll(data)).toSorted()).toEqual(allComplete)
    })
)

it.scopedLive.each<readonly [what: string, change: string]>([
  [
    "role",
    `UPDATE messages SET role = 'critic', body = json_set(body, '$.role', 'critic') ${of(sessions.plainer, "seq = 2")}`
  ],
  [
    "reason to finish",
    `UPDATE messages SET body = json_set(body, '$.finish', 'bored') ${of(sessions.plainer, "seq = 2")}`
  ]
])(
  "P13 a message with an unknown %s is named by its place; its session and all other messages can be read",
  ([, change]) =>
    Effect.gen(function* () {
      const data = yield* killed
      const before = yield* reading(data, transcript(plainer))
      tamper(data, change)
      yield* reading(
        data,
        Effect.gen(function* () {
          expect(yield* listed).toEqual(all)
          expect(yield* Effect.flip(transcript(plainer))).toMatchObject({
            _tag: "RowDamaged",
            sessionId: plainer,
            seq: 2
          })
          expect(yield* transcript(plainer, 3)).toEqual(before.slice(2))
        })
      )
      const others = allComplete.filter((line) => !line.startsWith(plainer))
      expect(yield* sendToAll(data)).toEqual(expect.arrayContaining(others))
    })
)

it.scopedLive("P13 a session with a setting of a later version is listed as damaged, and all others go on", () =>
  Effect.gen(function* () {
    const data = yield* killed
    const before = yield* reading(data, transcript(full))
    tamper(
      data,
      "UPDATE session_rows SET model = json_set(model, '$.options.reasoningEffort', 'ultra') WHERE id = 'full'"
    )
    const others = ids.filter((id) => id !== full).toSorted()
    yield* reading(
      data,
      Effect.gen(function* () {
        expect(yield* listed).toEqual({ damaged: [full], sessions: others })
        expect(yield* transcript(full)).toEqual(before)
      })
    )
    expect((yield* sendToAll(data)).toSorted()).toEqual(others.map((id) => `${id} completed`))
  })
)
