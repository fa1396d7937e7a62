/**
 * Removes old events, session by session, one portion per commit. What to remove is found by reads, which keep no write
 * waiting; since then a session can only have gained younger events. How far a portion got is stored, so that any
 * process can continue. Events before a session's first cursor cannot be read any more, so their rows may be removed
 * later. Messages stay; only their events before the first cursor are gone.
 */
import { Clock, Effect } from "effect"
import * as Retained from "../../../domain/Retention.js"
import type { StorageFailed, Write } from "../../../domain/SkeinError.js"
import type { Turn } from "../../EventLoop.js"
import type { Retention } from "../Storage.js"
import type { Query } from "./Query.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { WriteLane } from "./lane/WriteLane.js"

/** The most sessions that are read at a time, and the most rows that one commit removes. */
const portionSessions = 50
const portionRows = 250

interface LoggedSession extends Retained.EventLog {
  readonly ordinal: number
  readonly head: number
  /** The time of the oldest kept event; null when it has no row of its own. */
  readonly oldestAt: number | null
  /** Whether there are rows of events that cannot be read any more. */
  readonly hasRest: number
}

const ofRuns = "SELECT min(runs.cursor) FROM runs WHERE runs.session = session_rows.ordinal AND runs.state <> 'ended'"
const oldest = `SELECT event_rows.at FROM event_rows WHERE event_rows.session = session_rows.ordinal
  AND event_rows.cursor = session_rows.first_cursor`
const oldestRow = "SELECT min(event_rows.cursor) FROM event_rows WHERE event_rows.session = session_rows.ordinal"

/** Parameter: an ordinal. */
const sessionsAfter = `SELECT session_rows.ordinal, session_rows.head, session_rows.first_cursor AS first,
  session_rows.cursor AS newest, (${ofRuns}) AS going, (${oldest}) AS "oldestAt",
  CASE WHEN (${oldestRow}) < session_rows.first_cursor THEN 1 ELSE 0 END AS "hasRest"
  FROM session_rows WHERE session_rows.ordinal > ? AND session_rows.state <> 'hidden'
  ORDER BY session_rows.ordinal LIMIT ${portionSessions}`

/** What to remove from a session: all events up to `last`. */
interface Aged {
  readonly ordinal: number
  readonly last: number
}

const operation = "read old events"

/**
 * The time of an event, from its own row or from the message that it announces. That message is found by bisection too,
 * because `follows` never decreases from one place to the next. Null for an event that is lost.
 */
const timeOf = (query: Query, { first, head, oldestAt, ordinal }: LoggedSession, cursor: number) =>
  Effect.gen(function* () {
    if (cursor === first && oldestAt !== null) return oldestAt
    const [row] = yield* query<{ readonly at: number }>(
      operation,
      "SELECT at FROM event_rows WHERE session = ? AND cursor = ?",
      ordinal,
      cursor
    )
    if (row !== undefined) return row.at
    let [low, high] = [1, head]
    while (low <= high) {
      const seq = Math.floor((low + high) / 2)
      const [message] = yield* query<{ readonly at: number; readonly follows: number; readonly cursor: number | null }>(
        operation,
        "SELECT at, follows, cursor FROM messages WHERE session = ? AND seq = ?",
        ordinal,
        seq
      )
      if (message?.cursor === cursor) return message.at
      if (message === undefined || message.follows >= cursor) high = seq - 1
      else low = seq + 1
    }
    return null
  })

/** The newest event to remove from a session. */
const lastOf = (query: Query, turn: Turn, session: LoggedSession, { before, keep }: Retention) =>
  Effect.gen(function* () {
    let bounds = Retained.bounds(session, keep)
    let event = Retained.first(bounds)
    let looks = 0
    for (; event !== null; looks++) {
      const at: number | null = yield* timeOf(query, session, event)
      bounds = Retained.narrow(bounds, event, at !== null && at >= before)
      event = Retained.next(bounds)
    }
    // Timers and sockets get their turn after each session that was searched.
    if (looks > 1) yield* turn
    return bounds.old
  })

/** Sessions with something to remove, and how far the search got; null when it reached the end. */
interface Found {
  readonly aged: ReadonlyArray<Aged>
  readonly upTo: number | null
}

/** Searches sessions until there is enough to remove, or no session is left. */
const find = (query: Query, turn: Turn, retention: Retention, after: number): Effect.Effect<Found, StorageFailed> =>
  Effect.gen(function* () {
    let from = after
    while (true) {
      const sessions = yield* query<LoggedSession>(operation, sessionsAfter, from)
      const aged: Array<Aged> = []
      let events = 0
      let upTo: number | null = null
      for (const [index, session] of sessions.entries()) {
        const last = yield* lastOf(query, turn, session, retention)
        if (last >= session.first || session.hasRest === 1) aged.push({ ordinal: session.ordinal, last })
        events += last + 1 - session.first
        if (events < portionRows && index + 1 < portionSessions) continue
        upTo = session.ordinal
        break
      }
      if (aged.length > 0 || upTo === null) return { aged, upTo }
      from = upTo
      yield* turn
    }
  })

/** Removes at most `portionRows` rows and stores how far it got. Returns whether there may be more to remove. */
function* remove(tx: Transaction, { aged, upTo }: Found, after: number): Program<boolean> {
  let left = portionRows
  let done = after
  for (const session of aged) {
    left -= yield* removeOf(tx, session, left)
    if (left <= 0) break
    done = session.ordinal
  }
  if (left > 0 && upTo === null) yield* tx.run("UPDATE meta SET pruned_at = ?, pruned_up_to = 0", tx.now)
  else yield* tx.run("UPDATE meta SET pruned_up_to = ?", left > 0 && upTo !== null ? upTo : done)
  return left <= 0 || upTo !== null
}

/** Removes at most `rows` rows and returns how many. */
function* removeOf(tx: Transaction, { last, ordinal }: Aged, rows: number): Program<number> {
  yield* tx.run(
    "UPDATE session_rows SET first_cursor = ? WHERE ordinal = ? AND first_cursor <= ?",
    last + 1,
    ordinal,
    last
  )
  return yield* tx.run(
    `DELETE FROM event_rows WHERE session = ? AND cursor IN (SELECT old.cursor FROM event_rows AS old
     WHERE old.session = ? AND old.cursor < (SELECT first_cursor FROM session_rows WHERE session_rows.ordinal = ?)
     ORDER BY old.cursor LIMIT ?)`,
    ordinal,
    ordinal,
    ordinal,
    rows
  )
}

/** Removes a portion. Returns whether there may be more to remove. */
export const prune = (
  query: Query,
  write: WriteLane["Type"]["write"],
  turn: Turn,
  retention: Retention,
  ahead: () => number
): Effect.Effect<boolean, Write> =>
  Effect.gen(function* () {
    const now = (yield* Clock.currentTimeMillis) + ahead()
    const [meta] = yield* query<{ readonly prunedAt: number; readonly upTo: number }>(
      operation,
      `SELECT pruned_at AS "prunedAt", pruned_up_to AS "upTo" FROM meta`
    )
    if (meta === undefined || (meta.upTo === 0 && meta.prunedAt >= retention.since && meta.prunedAt <= now))
      return false
    const found = yield* find(query, turn, retention, meta.upTo)
    return yield* write("remove old events", { sessions: [] }, (tx) => remove(tx, found, meta.upTo))
  })
