/**
 * Damage between rows of the folder that a killed process left, in SQL that both databases understand, and what is
 * found of it.
 */
import { sessions } from "./killed.js"

const { asking, full, held, plainer, reused } = sessions

export interface Damage {
  readonly harm: string
  readonly finds: ReadonlyArray<string>
  /** The sessions whose rows may change. */
  readonly of: ReadonlyArray<number>
  /** How many messages the first of them has afterwards, and how many of these are placeholders. */
  readonly has?: readonly [messages: number, placeholders: number]
  /** Whether the first of them is as it was, except that clients load it again. */
  readonly isWhole?: boolean
}

export const damages: Readonly<Record<string, Damage>> = {
  "an engine's name that is not JSON": {
    harm: "UPDATE runs SET engine = '{' WHERE ordinal = 13",
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "missing last results of an ended batch": {
    harm: `DELETE FROM messages WHERE session = ${plainer} AND seq >= 20`,
    finds: ["messages-missing"],
    of: [plainer],
    has: [21, 2]
  },
  "a missing result that waited beyond the head": {
    harm: `DELETE FROM messages WHERE session = ${asking} AND seq = 4`,
    finds: ["messages-missing"],
    of: [asking],
    has: [3, 1]
  },
  "a missing last answer of a run": {
    harm: `DELETE FROM messages WHERE session = ${full} AND seq = 27`,
    finds: ["messages-missing"],
    of: [full],
    has: [27, 1]
  },
  "a missing answer of a session's only run": {
    harm: `DELETE FROM messages WHERE session = ${reused} AND seq = 2`,
    finds: ["messages-missing"],
    of: [reused],
    has: [2, 1]
  },
  "a missing result right before an open call": {
    harm: `DELETE FROM messages WHERE session = ${held} AND seq = 3`,
    finds: ["messages-missing"],
    of: [held],
    has: [3, 1]
  },
  "a missing message that asks for a call with a question": {
    harm: `DELETE FROM messages WHERE session = ${asking} AND seq = 2`,
    finds: ["messages-missing"],
    of: [asking],
    has: [3, 1]
  },
  "a question filed under another session": {
    harm: `UPDATE questions SET session = ${plainer} WHERE ordinal = 4`,
    finds: ["row-damaged"],
    of: [plainer, asking],
    isWhole: true
  },
  "a question with another verdict than its answer": {
    harm: "UPDATE questions SET verdict = 'allow-for-session' WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [plainer],
    has: [21, 0]
  },
  "a question whose run is gone": {
    harm: "UPDATE questions SET run = 999 WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [plainer],
    has: [21, 0]
  },
  "a running run that has ended": {
    harm: "UPDATE runs SET ended_at = 5, started_at = NULL WHERE ordinal = 13",
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "a queued run that has started": {
    harm: "UPDATE runs SET started_at = 5 WHERE ordinal = (SELECT min(ordinal) FROM runs WHERE state = 'queued')",
    finds: ["row-damaged"],
    of: [held],
    has: [3, 0]
  },
  "an ended run without its end": {
    harm: "UPDATE runs SET ended_at = NULL, stop_reason = NULL WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [full],
    has: [27, 0]
  },
  "a question whose run has ended": {
    harm: "UPDATE questions SET answer = NULL, verdict = NULL WHERE ordinal = 1",
    finds: ["row-damaged"],
    of: [plainer],
    has: [21, 0]
  },
  "a call with another id": {
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
  "a message with the greatest number of all": {
    harm: `UPDATE messages SET seq = ${2n ** 63n - 1n} WHERE session = ${full} AND seq = 27`,
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
  "columns of a result that contradict its message": {
    harm: `UPDATE messages SET call = 'x', name = 'y', outcome = 'denied' WHERE session = ${full} AND seq = 5`,
    finds: ["row-damaged"],
    of: [full],
    isWhole: true
  },
  "a message that names a run of another session": {
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
      (change): readonly [string, Damage] => [
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
  "a row of a missing session": {
    harm: "INSERT INTO grants (session, tool) VALUES (99, 'x')",
    finds: ["session-rows-missing"],
    of: []
  },
  "a missing last message, which a host appended": {
    harm: `UPDATE session_rows SET cursor = cursor + 1, head = head + 1 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [28, 1]
  },
  "a missing last message, which a host appended before the session was renamed": {
    harm: `INSERT INTO event_rows (session, cursor, mark, at, type)
      SELECT ordinal, cursor + 2, 0, 0, 'session.renamed' FROM session_rows WHERE ordinal = ${full};
      UPDATE session_rows SET cursor = cursor + 2, head = head + 1 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [28, 1]
  },
  "missing last messages, whose events had been removed": {
    harm: `DELETE FROM event_rows WHERE session = ${full} AND cursor < (SELECT max(cursor) FROM event_rows WHERE session = ${full});
      UPDATE session_rows SET first_cursor = cursor, head = head + 2 WHERE ordinal = ${full}`,
    finds: ["messages-missing"],
    of: [full],
    has: [29, 2]
  },
  "a missing newest event": {
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
    ].map(([of, change]): readonly [string, Damage] => [
      `a session with a wrong head or cursor: ${change} of ${of}`,
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
  "a missing row of the whole database": { harm: "DELETE FROM meta", finds: ["shared-row-damaged"], of: [] },
  "a wrong start of new cursors": {
    harm: `UPDATE meta SET cursor_floor = ${2 ** 53}`,
    finds: ["shared-row-damaged"],
    of: []
  },
  "a wrong number of the last session": {
    harm: "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'session_rows'",
    finds: ["shared-row-damaged"],
    of: []
  }
}
