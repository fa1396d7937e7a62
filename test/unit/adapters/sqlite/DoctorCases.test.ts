/** Damage between rows, in a folder that a killed process left: what is found, and what is kept. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isDamage } from "../../../../src/adapters/sqlite/doctor/Finding.js"
import { userText } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { asides } from "./damaged.js"
import { ids, killed, rowsOf, sendToAll, sessions } from "./killed.js"
import { databaseIn, engineOn, look, repair, tamper } from "./populated.js"

const { asking, full, held, plainer, reused } = sessions

interface Case {
  readonly harm: string
  readonly finds: ReadonlyArray<string>
  /** The sessions whose rows may change. */
  readonly of: ReadonlyArray<number>
  /** How many messages the first of them has afterwards, and how many of these are placeholders. */
  readonly has?: readonly [messages: number, placeholders: number]
  /** Whether the first of them is as it was. Clients load it again. */
  readonly isWhole?: boolean
}

const cases: Readonly<Record<string, Case>> = {
  "an engine's name that is no JSON": {
    harm: "UPDATE runs SET engine = '{' WHERE ordinal = 13",
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "the last results of an ended batch": {
    harm: `DELETE FROM messages WHERE session = ${plainer} AND seq >= 20`,
    finds: ["messages-missing"],
    of: [plainer],
    has: [21, 2]
  },
  "a result that waited beyond the head": {
    harm: `DELETE FROM messages WHERE session = ${asking} AND seq = 4`,
    finds: ["messages-missing"],
    of: [asking],
    has: [3, 1]
  },
  "the last answer of a run": {
    harm: `DELETE FROM messages WHERE session = ${full} AND seq = 27`,
    finds: ["messages-missing"],
    of: [full],
    has: [27, 1]
  },
  "the answer of a session's only run": {
    harm: `DELETE FROM messages WHERE session = ${reused} AND seq = 2`,
    finds: ["messages-missing"],
    of: [reused],
    has: [2, 1]
  },
  "a result right before an open call": {
    harm: `DELETE FROM messages WHERE session = ${held} AND seq = 3`,
    finds: ["messages-missing"],
    of: [held],
    has: [3, 1]
  },
  "the message that asks for a call with a question": {
    harm: `DELETE FROM messages WHERE session = ${asking} AND seq = 2`,
    finds: ["messages-missing"],
    of: [asking],
    has: [3, 1]
  },
  "a question filed under another session": {
    harm: `UPDATE questions SET session = ${plainer} WHERE ordinal = 4`,
    finds: ["row-damaged"],
    of: [plainer, asking]
  },
  "a question whose run has ended": {
    harm: "UPDATE questions SET answer = NULL, verdict = NULL WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [plainer],
    has: [21, 0]
  },
  "a call with the id of another": {
    harm: `UPDATE calls SET id = 'call_other' WHERE session = ${held}`,
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "a call in another place": {
    harm: `UPDATE calls SET seq = 20 WHERE session = ${held}`,
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "a call that no message asks for": {
    harm: `INSERT INTO calls (session, seq, position, follows, id, name) VALUES (${reused}, 3, 0, 36, 'call_extra', 'work')`,
    finds: ["call-unasked"],
    of: [reused],
    isWhole: true
  },
  "an open call whose start and display are damaged": {
    harm: `UPDATE calls SET started_at = ${2 ** 53}, display = '{' WHERE session = ${held}`,
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "a call that waits for a question that is gone": {
    harm: "DELETE FROM questions WHERE ordinal = 4",
    finds: ["row-damaged"],
    of: [asking],
    has: [3, 0]
  },
  "a message with a number that is too great": {
    harm: `UPDATE messages SET seq = 50000 WHERE session = ${full} AND seq = 27`,
    finds: ["message-misnumbered"],
    of: [full],
    isWhole: true
  },
  "a message from the middle with a number that is too great": {
    harm: `UPDATE messages SET seq = 50000 WHERE session = ${full} AND seq = 13`,
    finds: ["message-misnumbered"],
    of: [full],
    isWhole: true
  },
  "columns of a result that do not say what its message says": {
    harm: `UPDATE messages SET call = 'x', name = 'y', outcome = 'denied' WHERE session = ${full} AND seq = 5`,
    finds: ["row-damaged"],
    of: [full],
    isWhole: true
  },
  "a run that another one's message names": {
    harm: `UPDATE messages SET run = 17 WHERE session = ${full} AND seq = 1`,
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "a session whose id is invalid": {
    harm: `UPDATE session_rows SET id = 'a b' WHERE ordinal = ${full}`,
    finds: ["shared-row-damaged"],
    of: [full],
    has: [27, 0]
  },
  ...Object.fromEntries(
    ["owner = ''", `created_at = ${2n ** 63n - 1n}`, `first_cursor = ${10n ** 16n}`, `steps = ${2n ** 63n - 1n}`].map(
      (change): readonly [string, Case] => [
        `a session whose ${change}`,
        {
          harm: `UPDATE session_rows SET ${change} WHERE ordinal = ${full}`,
          finds: ["row-damaged"],
          of: [full],
          has: [27, 0]
        }
      ]
    )
  ),
  "a session in an unknown state": {
    harm: `UPDATE session_rows SET state = 'zzz' WHERE ordinal = ${full}`,
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "a run in an unknown state": {
    harm: "UPDATE runs SET state = 'zzz' WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "a run that begins before all events": {
    harm: "UPDATE runs SET cursor = -1 WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "a question about no call": {
    harm: "UPDATE questions SET call = '' WHERE ordinal = 4",
    finds: ["row-damaged"],
    of: [asking],
    has: [3, 0]
  },
  "a call without an id": {
    harm: `UPDATE calls SET id = '' WHERE session = ${held}`,
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "a row of a session that is not there": {
    harm: "INSERT INTO grants (session, tool) VALUES (99, 'x')",
    finds: ["session-rows-missing"],
    of: []
  },
  "the last message of all, which a host appended": {
    harm: `UPDATE session_rows SET cursor = cursor + 1, head = head + 1 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [28, 1]
  },
  "the last message of all, which a host appended before the session was renamed": {
    harm: `INSERT INTO event_rows (session, cursor, mark, at, type)
      SELECT ordinal, cursor + 2, 0, 0, 'session.renamed' FROM session_rows WHERE ordinal = ${full};
      UPDATE session_rows SET cursor = cursor + 2, head = head + 1 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [28, 1]
  },
  "the last messages of all, whose events had been removed": {
    harm: `DELETE FROM event_rows WHERE session = ${full} AND cursor < (SELECT max(cursor) FROM event_rows WHERE session = ${full});
      UPDATE session_rows SET first_cursor = cursor, head = head + 2 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [29, 2]
  },
  "the newest event": {
    harm: `DELETE FROM event_rows WHERE session = ${full} AND cursor = (SELECT cursor FROM session_rows WHERE ordinal = ${full})`,
    finds: ["events-damaged"],
    of: [full],
    has: [27, 0]
  },
  ...Object.fromEntries(
    [
      [full, "head = head + 1"],
      [full, "head = head - 1"],
      [full, "head = 0"],
      [full, "head = 1000000"],
      [asking, "head = head + 1"],
      [held, "head = -1"],
      [full, "cursor = cursor - 1"],
      [full, "cursor = 0"],
      [held, "head = 0, cursor = 1"]
    ].map(([of, change]): readonly [string, Case] => [
      `a session that has lost where it is: ${change} of ${of}`,
      {
        harm: `UPDATE session_rows SET ${change} WHERE ordinal = ${of}`,
        finds: ["row-damaged"],
        of: [Number(of)],
        isWhole: true
      }
    ])
  ),
  "a run whose id is invalid": {
    harm: "UPDATE runs SET id = 'a b' WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "more steps than there are events": {
    harm: `UPDATE session_rows SET steps = 1000000 WHERE ordinal = ${full}`,
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "two damages in one session": {
    harm: `UPDATE messages SET body = '{' WHERE session = ${full} AND seq = 2; UPDATE runs SET metadata = 'x' WHERE ordinal = 1`,
    finds: ["row-damaged", "message-damaged"],
    of: [full],
    has: [27, 1]
  },
  "the row of the whole database": { harm: "DELETE FROM meta", finds: ["shared-row-damaged"], of: [] },
  "where new cursors begin": {
    harm: `UPDATE meta SET cursor_floor = ${2 ** 53}`,
    finds: ["shared-row-damaged"],
    of: []
  },
  "the number of the last session": {
    harm: "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'session_rows'",
    finds: ["shared-row-damaged"],
    of: []
  }
}

const messagesOf = (data: string, session: number) => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const bodies = connection
    .prepare<[number], string>("SELECT body FROM messages WHERE session = ? ORDER BY seq")
    .pluck()
    .all(session)
  connection.close()
  return [bodies.length, bodies.filter((body) => body.includes("was damaged and can no longer be read")).length]
}

/** Without what makes clients load the session again. */
const withoutCursor = (rows: ReadonlyArray<unknown>) =>
  JSON.stringify(rows, (key, value: unknown) =>
    key === "first_cursor" ? 0 : typeof value === "bigint" ? `${value}` : value
  )

describe("a killed folder with", () => {
  for (const [name, { finds, harm, has, isWhole, of }] of Object.entries(cases)) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const data = yield* killed
        const whole = withoutCursor(rowsOf(data, of[0] ?? 0))
        tamper(data, "PRAGMA ignore_check_constraints = ON", harm)
        const others = Object.values(sessions).filter((ordinal) => !of.includes(ordinal))
        const before = others.map((ordinal) => rowsOf(data, ordinal))
        const found = (yield* look(data)).filter(isDamage).map(({ finding }) => finding.kind)
        expect(found).toEqual(finds)
        expect((yield* repair(data)).filter(isDamage)).toEqual([])
        expect((yield* look(data)).filter(isDamage)).toEqual([])
        expect(others.map((ordinal) => rowsOf(data, ordinal))).toEqual(before)
        if (has !== undefined) expect(messagesOf(data, of[0] ?? 0)).toEqual(has)
        if (isWhole === true) expect(withoutCursor(rowsOf(data, of[0] ?? 0))).toBe(whole)
        expect(yield* sendToAll(data)).toEqual(expect.arrayContaining(ids.map((id) => `${id} completed`)))
        expect((yield* look(data)).filter(isDamage)).toEqual([])
      })
    )
  }

  it.scopedLive("a message that a host appended last, and that is gone: it is missing, and clients load again", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const appended = Effect.flatMap(Gateway, (gateway) =>
        gateway.append(SessionId.make("full"), [userText("one"), userText("two")])
      )
      yield* appended.pipe(Effect.provide(engineOn(data)))
      tamper(data, `DELETE FROM messages WHERE session = ${full} AND seq = 29`)
      const missing = [{ kind: "messages-missing", ids: expect.objectContaining({ first: 29, last: 29 }) }]
      expect((yield* look(data)).filter(isDamage).map(({ finding }) => finding)).toMatchObject(missing)
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
      expect((yield* look(data)).filter(isDamage)).toEqual([])
      expect(messagesOf(data, full)).toEqual([29, 1])
      expect(yield* sendToAll(data)).toContain("full completed")
    })
  )

  it.scopedLive("a session without its row: it keeps its id, its messages and its files", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const files = readdirSync(join(data, "assets", "full"))
      tamper(data, `DELETE FROM session_rows WHERE ordinal = ${full}`)
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
      expect(asides(data)).toEqual([])
      expect(readdirSync(join(data, "assets", "full"))).toEqual(files)
      expect(messagesOf(data, full)).toEqual([27, 0])
      expect(yield* sendToAll(data)).toContain("full completed")
    })
  )

  it.scopedLive("a value that its column does not take: the row keeps all others, and the file is not rebuilt", () =>
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

  it.scopedLive("results in each other's places: it is a note, and stays one", () =>
    Effect.gen(function* () {
      const data = yield* killed
      tamper(
        data,
        `UPDATE messages SET seq = seq + 1000 WHERE session = ${plainer} AND seq IN (5, 6)`,
        `UPDATE messages SET seq = 1011 - (seq - 1000) - 1000 WHERE session = ${plainer} AND seq > 1000`
      )
      const kinds = (yield* look(data)).map(({ finding }) => finding.kind)
      expect(kinds).toContain("message-misplaced")
      expect((yield* repair(data)).filter(isDamage)).toEqual([])
    })
  )
})
