/**
 * A session as one write sees it. The conditions of a change are checked here, in the transaction of the change. The
 * head, the newest cursor and the fencing number advance in memory, and are stored once, at the end of the write.
 */
import { Either } from "effect"
import type { Actor } from "../../../domain/Actor.js"
import type { Lease, Presence } from "../../../domain/Lease.js"
import { isServed, type Placement } from "../../../domain/Placement.js"
import type { RunId } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import type * as SessionEvent from "../../../domain/SessionEvent.js"
import {
  LeaseLost,
  PlacementNotServed,
  SessionBusy,
  SessionDeleting,
  SessionNotFound
} from "../../../domain/SkeinError.js"
import type { Usage } from "../../../domain/Usage.js"
import * as UsageTotal from "../../../domain/Usage.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { insert, insertion, select, sqlName } from "./Table.js"
import { eventRows, sessionRows, usageNames } from "./Tables.js"

export interface SessionRow {
  readonly ordinal: number
  readonly id: SessionId
  readonly state: "live" | "deleting" | "hidden"
  readonly placement: Placement | null
  /** The second of the last change. */
  readonly activeAt: number
  fence: number
  head: number
  cursor: number
  /** What this write adds to the session's usage. */
  added?: UsageTotal.Total
}

/** A session together with one of its runs. */
export interface SessionAndRun extends SessionRow {
  /** The run's ordinal. */
  readonly run: number
}

const columns = select(sessionRows, ["ordinal", "id", "state", "fence", "head", "cursor", "activeAt", "placement"])

const visibleRow = "FROM session_rows WHERE id = ? AND state <> 'hidden'"

function* found<Row extends SessionRow>(
  tx: Transaction,
  statement: string,
  sessionId: SessionId
): Program<Row, SessionNotFound> {
  return yield* Either.fromNullable(yield* tx.get<Row>(statement, sessionId), () => new SessionNotFound({ sessionId }))
}

const visibleStatement = `SELECT ${columns} ${visibleRow}`

/** A session that is not hidden. */
export const visible = (tx: Transaction, sessionId: SessionId): Program<SessionRow, SessionNotFound> =>
  found(tx, visibleStatement, sessionId)

/** A session that is neither hidden nor being deleted. */
export function* changeable(
  tx: Transaction,
  sessionId: SessionId
): Program<SessionRow, SessionNotFound | SessionDeleting> {
  return yield* undeleted(yield* visible(tx, sessionId))
}

/** The same with what decides whether messages may follow, so that an append needs one statement for both. */
export interface AppendableRow extends SessionRow {
  /** Whether a run holds the session or waits for it: 1 or 0. */
  readonly isBusy: number
  /** The role of the message in the last place; null in an empty session. */
  readonly lastRole: string | null
}

const appendableStatement = `SELECT ${columns},
    CAST(EXISTS (SELECT 1 FROM runs WHERE session = session_rows.ordinal AND state <> 'ended') AS INTEGER) AS "isBusy",
    (SELECT role FROM messages WHERE session = session_rows.ordinal ORDER BY seq DESC LIMIT 1) AS "lastRole"
  ${visibleRow}`

export function* appendable(
  tx: Transaction,
  sessionId: SessionId
): Program<AppendableRow, SessionNotFound | SessionDeleting> {
  return yield* undeleted(yield* found<AppendableRow>(tx, appendableStatement, sessionId))
}

/** Fails for a session that is being deleted. */
export const undeleted = <Row extends SessionRow>(row: Row): Either.Either<Row, SessionDeleting> =>
  row.state === "live" ? Either.right(row) : Either.left(new SessionDeleting({ sessionId: row.id }))

/** Fails for a session whose placement the engine does not serve. */
export const served = (
  { id, placement }: SessionRow,
  { placements }: Presence
): Either.Either<void, PlacementNotServed> =>
  placement === null || isServed(placement, placements)
    ? Either.void
    : Either.left(new PlacementNotServed({ sessionId: id, placement, served: placements }))

/** Fails for a session that a run holds. */
export function* unheld(tx: Transaction, row: SessionRow): Program<SessionRow, SessionBusy> {
  const holder = yield* tx.get<{ readonly id: RunId }>(
    "SELECT id FROM runs WHERE session = ? AND state = 'running'",
    row.ordinal
  )
  if (holder !== undefined) yield* Either.left(new SessionBusy({ sessionId: row.id, runId: holder.id }))
  return row
}

/** The run in the way of another: the one that holds the session, else the oldest that waits. */
export const inTheWay = (tx: Transaction, { ordinal }: SessionRow): Statement<{ readonly id: RunId } | undefined> =>
  tx.get(
    "SELECT id FROM runs WHERE session = ? AND state <> 'ended' ORDER BY state = 'queued', ordinal LIMIT 1",
    ordinal
  )

/** Fails while a run holds the session or waits for it. */
export function* idle(tx: Transaction, row: SessionRow): Program<SessionRow, SessionBusy> {
  const busyWith = yield* inTheWay(tx, row)
  if (busyWith !== undefined) yield* Either.left(new SessionBusy({ sessionId: row.id, runId: busyWith.id }))
  return row
}

/** The session and the run of a lease, if it is still valid. */
export const heldBy = (tx: Transaction, { fence, runId, sessionId }: Lease): Statement<SessionAndRun | undefined> =>
  tx.get(
    `SELECT ${columns}, runs.ordinal AS run FROM runs JOIN session_rows ON session_rows.ordinal = runs.session
     WHERE runs.id = ? AND runs.state = 'running' AND session_rows.id = ? AND session_rows.fence = ?`,
    runId,
    sessionId,
    fence
  )

/** The session and the run of a lease. Fails for one that is no longer valid. */
export function* held(tx: Transaction, lease: Lease): Program<SessionAndRun, LeaseLost> {
  return yield* Either.fromNullable(yield* heldBy(tx, lease), () => new LeaseLost(lease))
}

/** The session in whose queue a run waits, and that run. */
export const queuedOn = (tx: Transaction, runId: RunId): Statement<SessionAndRun | undefined> =>
  tx.get<SessionAndRun>(
    `SELECT ${columns}, runs.ordinal AS run FROM runs JOIN session_rows ON session_rows.ordinal = runs.session
     WHERE runs.id = ? AND runs.state = 'queued' AND session_rows.state <> 'hidden'`,
    runId
  )

/** What an event refers to: the ordinal of a run, a place, the id of a question or an asset; and its actor. */
interface Reference {
  readonly run?: number | null
  readonly seq?: number | null
  readonly ref?: string | null
  /** Defaults to whoever asked for the write. */
  readonly actor?: Actor | null
}

/** Stores the row of an event. */
export const insertEvent = insertion(eventRows, [
  "session",
  "cursor",
  "mark",
  "at",
  "type",
  "run",
  "seq",
  "ref",
  "actor"
])

/** Records an event under the next cursor, and wakes the session's watchers after the commit. */
export function* record(
  tx: Transaction,
  session: SessionRow,
  type: SessionEvent.Durable["type"],
  { actor = tx.actor, ref = null, run = null, seq = null }: Reference = {}
): Program<void> {
  session.cursor++
  yield* insert(tx, insertEvent, {
    session: session.ordinal,
    cursor: session.cursor,
    mark: tx.mark,
    at: tx.now,
    type,
    run,
    seq,
    ref,
    actor
  })
  tx.recorded("event_rows", session.ordinal, session.cursor)
  changed(tx, session)
}

const sums = usageNames.map((name) => `${sqlName(name)} = ${sqlName(name)} + ?`).join(", ")

/** The second of a time, by which sessions are found. */
export const secondOf = (millis: number): number => Math.floor(millis / 1000)

const move = (more: string): string =>
  `UPDATE session_rows SET fence = ?, head = ?, cursor = ?, updated_at = ?${more} WHERE ordinal = ?`
const storeMove = move("")
const storeMoveAndSecond = move(", active_at = ?")
const storeMoveAndUsage = move(`, active_at = ?, ${sums}`)

function* store(tx: Transaction, { activeAt, added, cursor, fence, head, ordinal }: SessionRow): Program<void> {
  const second = secondOf(tx.now)
  if (added !== undefined) {
    yield* tx.run(
      storeMoveAndUsage,
      fence,
      head,
      cursor,
      tx.now,
      second,
      ...usageNames.map((name) => added[name]),
      ordinal
    )
  } else if (second === activeAt) yield* tx.run(storeMove, fence, head, cursor, tx.now, ordinal)
  else yield* tx.run(storeMoveAndSecond, fence, head, cursor, tx.now, second, ordinal)
}

/** Notes that a write has changed a session, whose watchers wake after the commit. */
export const changed = (tx: Transaction, session: SessionRow): void => {
  tx.atEnd(session, store)
  tx.touch(session.id)
}

/** Raises the session's fencing number: an earlier holder holds it no longer. */
export const raiseFence = (tx: Transaction, session: SessionRow): void => {
  session.fence++
  changed(tx, session)
}

/** Adds a step's usage to the sum of the session. */
export const addUsage = (session: SessionRow, usage: Usage): void => {
  session.added = UsageTotal.add(session.added ?? UsageTotal.zero, usage)
}

const addToRun = `UPDATE runs SET ${sums} WHERE ordinal = ?`

/** Adds a step's usage to the sum of its run. */
export function* addRunUsage(tx: Transaction, { run }: SessionAndRun, usage: Usage): Program<void> {
  const step = UsageTotal.add(UsageTotal.zero, usage)
  yield* tx.run(addToRun, ...usageNames.map((name) => step[name]), run)
}
