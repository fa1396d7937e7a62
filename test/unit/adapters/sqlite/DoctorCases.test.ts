/** Damage between rows, in a folder that a killed process left: what is found, and what is kept. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Predicate } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isDamage } from "../../../../src/services/storage/sql/doctor/Finding.js"
import { userText } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { asides, newest, reloads } from "./damaged.js"
import { damages as cases } from "./damages.js"
import { killed, rowsOf, sendTo, sendToAll, sessions } from "./killed.js"
import { databaseIn, engineOn, look, repair, tamper } from "./populated.js"

const messagesOf = (data: string, session: number) => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const bodies = connection
    .prepare<[number], string>("SELECT body FROM messages WHERE session = ? ORDER BY seq")
    .pluck()
    .all(session)
  connection.close()
  return [bodies.length, bodies.filter((body) => body.includes("was damaged and can no longer be read")).length]
}

const { full, plainer } = sessions

/** Without the column that makes clients load the session again. */
const withoutFirst = (rows: ReadonlyArray<unknown>) =>
  JSON.stringify(rows, (key, value: unknown) =>
    key === "first_cursor" ? 0 : typeof value === "bigint" ? `${value}` : value
  )

/** The rows of a session that was repaired: its newest cursor is one that no client has. */
const raised = (rows: ReadonlyArray<unknown>) =>
  rows.map((row) =>
    Predicate.isRecord(row) && row["name"] === "session_rows"
      ? { ...row, cursor: BigInt(String(row["cursor"])) + 1n }
      : row
  )

describe("in the folder of a killed process the doctor repairs", () => {
  for (const [name, { finds, harm, has, isWhole, of }] of Object.entries(cases)) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const data = yield* killed
        const whole = withoutFirst(raised(rowsOf(data, of[0] ?? 0)))
        tamper(data, "PRAGMA ignore_check_constraints = ON", harm)
        const others = Object.values(sessions).filter((ordinal) => !of.includes(ordinal))
        const before = others.map((ordinal) => rowsOf(data, ordinal))
        const found = (yield* look(data)).filter(isDamage).map(({ finding }) => finding.kind)
        expect(found).toEqual(finds)
        expect((yield* repair(data)).filter(isDamage)).toEqual([])
        expect((yield* look(data)).filter(isDamage)).toEqual([])
        expect(others.map((ordinal) => rowsOf(data, ordinal))).toEqual(before)
        if (has !== undefined) expect(messagesOf(data, of[0] ?? 0)).toEqual(has)
        if (isWhole === true) expect(withoutFirst(rowsOf(data, of[0] ?? 0))).toBe(whole)
        const sent = yield* sendTo(data, of)
        expect(sent.filter((end) => !end.endsWith(" completed"))).toEqual([])
        expect(sent).toContain("plainer completed")
        expect(sent.length).toBeGreaterThanOrEqual(new Set([...of, plainer]).size)
        expect((yield* look(data)).filter(isDamage)).toEqual([])
      })
    )
  }

  it.scopedLive("a missing last message that a host appended: it becomes a placeholder, and all clients reload", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const id = SessionId.make("full")
      const appended = Effect.flatMap(Gateway, (gateway) => gateway.append(id, [userText("one"), userText("two")]))
      yield* appended.pipe(Effect.provide(engineOn(data)))
      expect(yield* reloads(data, id)).toBe(false)
      const seen = yield* newest(data, id)
      tamper(data, `DELETE FROM messages WHERE session = ${full} AND seq = 29`)
      const missing = [{ kind: "messages-missing", ids: expect.objectContaining({ first: 29, last: 29 }) }]
      expect((yield* look(data)).filter(isDamage).map(({ finding }) => finding)).toMatchObject(missing)
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
      expect((yield* look(data)).filter(isDamage)).toEqual([])
      expect(messagesOf(data, full)).toEqual([29, 1])
      expect(yield* sendToAll(data)).toContain("full completed")
      expect([yield* reloads(data, id), yield* reloads(data, id, seen)]).toEqual([true, true])
    })
  )

  it.scopedLive("a session without its row: it keeps its id, its messages and its files, and all clients reload", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const id = SessionId.make("full")
      const seen = yield* newest(data, id)
      const files = readdirSync(join(data, "assets", "full"))
      tamper(data, `DELETE FROM session_rows WHERE ordinal = ${full}`)
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
      expect(asides(data)).toEqual([])
      expect(readdirSync(join(data, "assets", "full"))).toEqual(files)
      expect(messagesOf(data, full)).toEqual([27, 0])
      expect(yield* sendToAll(data)).toContain("full completed")
      expect([yield* reloads(data, id), yield* reloads(data, id, seen)]).toEqual([true, true])
    })
  )

  it.scopedLive(
    "a value that its column does not allow: the session keeps its messages, and the file is not rebuilt",
    () =>
      Effect.gen(function* () {
        const data = yield* killed
        const connection = new Sqlite(databaseIn(data))
        connection.unsafeMode(true)
        connection.pragma("writable_schema = ON")
        const loosen = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'session_rows'"
        const change = (from: string, to: string) => {
          connection.prepare(loosen).run(from, to)
          connection.pragma(`schema_version = ${Number(connection.pragma("schema_version", { simple: true })) + 1}`)
        }
        change("title TEXT NOT NULL", "title TEXT")
        connection.exec(`UPDATE session_rows SET title = NULL WHERE ordinal = ${full}`)
        change("title TEXT", "title TEXT NOT NULL")
        connection.close()
        const before = readFileSync(databaseIn(data)).length
        expect((yield* look(data)).filter(isDamage).map(({ finding }) => finding.kind)).toEqual(["row-damaged"])
        expect((yield* repair(data)).filter(isDamage)).toEqual([])
        expect((yield* look(data)).filter(isDamage)).toEqual([])
        expect(readFileSync(databaseIn(data))).toHaveLength(before)
        expect(messagesOf(data, full)).toEqual([27, 0])
        expect(yield* sendToAll(data)).toContain("full completed")
      })
  )

  it.scopedLive("no swapped results: they are only a note, and stay one", () =>
    Effect.gen(function* () {
      const data = yield* killed
      tamper(
        data,
        `UPDATE messages SET seq = seq + 1000 WHERE session = ${plainer} AND seq IN (5, 6)`,
        `UPDATE messages SET seq = 1011 - (seq - 1000) - 1000 WHERE session = ${plainer} AND seq > 1000`
      )
      const before = rowsOf(data, plainer)
      const seen = yield* look(data)
      expect(seen.map(({ finding }) => finding.kind)).toContain("message-misplaced")
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
      expect(yield* look(data)).toEqual(seen)
      expect(rowsOf(data, plainer)).toEqual(before)
    })
  )
})
