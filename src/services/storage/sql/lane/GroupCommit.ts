/**
 * One transaction of the write lane, each function without a pause: BEGIN, each write in a savepoint of its own, COMMIT,
 * and what a failed COMMIT left behind. Who waits for what is the lane's business.
 *
 * Each group has a number of its own, its mark, and leaves it on the rows that it adds, or
 * beside the lane's name when they bear none. After a failed COMMIT the mark tells whether the group is stored: all of it or nothing.
 */
import type { Either } from "effect"
import type { SessionId } from "../../../../domain/Session.js"
import { type Sql, SqlFailure, type Writer } from "../Database.js"
import * as Metrics from "../../../Metrics.js"

/** What a body may do: run statements, and say whose watchers are to be woken once they are committed. */
export interface Transaction extends Sql {
  /** Milliseconds since the epoch, one instant for all writes of a group. */
  readonly now: number
  /** Stands for the group. */
  readonly mark: number
  /** Says that a row bears the mark: an event by its cursor, or a message by its markedRow. */
  readonly recorded: (table: MarkedTable, session: number, number: number) => void
  readonly touch: (sessionId: SessionId) => void
  /** Says that somebody wants something of whoever holds a run. */
  readonly requestStop: () => void
}

export type Body<A, E> = (transaction: Transaction) => Either.Either<A, E>

export interface Member {
  /** Runs the body. Gives whether its changes are to stay; throws `SqlFailure` when the whole group must end. */
  readonly run: (transaction: Transaction) => boolean
}

export interface Group {
  readonly lane: string
  readonly mark: number
  readonly now: number
  /** Milliseconds on a clock that only goes forward. */
  readonly elapsed: () => number
}

/** Where a group left its mark. */
interface MarkedRow {
  readonly table: MarkedTable
  readonly session: number
  readonly number: number
}

type MarkedTable = "event_rows" | "messages"

const findMark: { readonly [Table in MarkedTable]: string } = {
  event_rows: "SELECT 1 FROM event_rows WHERE session = ? AND cursor = ? AND mark = ?",
  messages: "SELECT 1 FROM messages WHERE session = ? AND seq = ? AND mark = ?"
}

/** Who is to be woken. */
export interface Touched {
  readonly sessions: ReadonlySet<SessionId>
  /** Whether those are who hold runs. */
  readonly stopRequested: boolean
}

export type Ending<M> =
  /** What is to stay is stored. */
  | { readonly _tag: "Done"; readonly touched: Touched }
  /** A member left changes that are not to stay: the group is to be run again, isolated. Nothing is stored. */
  | { readonly _tag: "Entangled" }
  /** Nothing is stored, and nothing ever will be. `culprit` is the member at which it failed, if it was at one. */
  | { readonly _tag: "Failed"; readonly failure: SqlFailure; readonly culprit: M | null }
  /** Whether anything is stored is not known. */
  | ({ readonly _tag: "CommitFailed"; readonly touched: Touched } & FailedCommit)

export interface FailedCommit {
  readonly failure: SqlFailure
  readonly mark: number
  /** Null when the mark stands beside the lane's name. */
  readonly markedRow: MarkedRow | null
}

/** A mark that its lane has not renewed for this long may go. */
const markLifeMillis = 24 * 60 * 60 * 1000

/** Takes the lock. Returns why it was refused. */
export const begin = (writer: Writer): SqlFailure | null => failureOf(() => writer.run("BEGIN IMMEDIATE"))

/**
 * Runs the members in the transaction that has begun, and commits what is to stay. Isolated, each has a savepoint of its
 * own to undo. That doubles the price, and a member that refuses has rarely changed anything before: so a group is first
 * run without, and when there is something to undo, all of it is.
 */
export const commit = <M extends Member>(
  writer: Writer,
  group: Group,
  members: ReadonlyArray<M>,
  isolated: boolean
): Ending<M> => {
  const touched: Array<SessionId> = []
  let stopRequested = false
  let markedRow: MarkedRow | null = null
  const transaction: Transaction = {
    run: writer.run,
    get: writer.get,
    all: writer.all,
    releaseSpace: writer.releaseSpace,
    now: group.now,
    mark: group.mark,
    recorded: (table, session, number) => void (markedRow = { table, session, number }),
    touch: (sessionId) => void touched.push(sessionId),
    requestStop: () => void (stopRequested = true)
  }
  let culprit: M | null = null
  let stay = 0
  let entangled = false
  const failed = failureOf(() => {
    for (const member of members) {
      culprit = member
      const before = { markedRow, touched: touched.length, changes: writer.changes() }
      if (isolated) writer.run("SAVEPOINT member")
      if (member.run(transaction)) stay++
      else {
        markedRow = before.markedRow
        touched.length = before.touched
        if (isolated) writer.run("ROLLBACK TO member")
        else if (writer.changes() !== before.changes) {
          entangled = true
          return
        }
      }
      if (isolated) writer.run("RELEASE member")
    }
    culprit = null
    if (stay > 0 && markedRow === null) leaveMark(writer, group)
  })
  if (failed !== null) return { _tag: "Failed", failure: failed, culprit }
  if (entangled) return { _tag: "Entangled" }
  const committing = group.elapsed()
  const failure = failureOf(() => writer.run(stay === 0 ? "ROLLBACK" : "COMMIT"))
  if (stay > 0) Metrics.commitTime.unsafeUpdate(group.elapsed() - committing, [])
  return failure === null
    ? { _tag: "Done", touched: { sessions: new Set(touched), stopRequested } }
    : {
        _tag: "CommitFailed",
        failure,
        mark: group.mark,
        markedRow,
        touched: { sessions: new Set(touched), stopRequested }
      }
}

/** Ends the transaction without storing anything. Gives whether the connection can be used again. */
export const rollBack = (writer: Writer): boolean => {
  failureOf(() => writer.run("ROLLBACK"))
  return !writer.inTransaction()
}

/**
 * What became of a group whose COMMIT failed; decided in the transaction that has begun, and ends it. The group may
 * stand in the log, complete but for being counted, to be found after a crash. So when its mark is not there, a commit
 * takes its markedRow: only then is it surely not stored.
 */
export const settle = (writer: Writer, group: Group, failed: FailedCommit): "stored" | "not-stored" | "unknown" => {
  let stored = false
  const failure = failureOf(() => {
    stored = isStored(writer, group, failed)
    if (stored) return
    leaveMark(writer, group)
    writer.run("COMMIT")
  })
  if (stored || failure !== null) rollBack(writer)
  if (stored) return "stored"
  // On a full disk the page that would have completed the group in the log was never written.
  return failure === null || failed.failure.kind === "full" ? "not-stored" : "unknown"
}

const isStored = (writer: Writer, { lane }: Group, { mark, markedRow }: FailedCommit): boolean => {
  const row =
    markedRow === null
      ? writer.get("SELECT 1 FROM lanes WHERE id = ? AND mark = ?", lane, mark)
      : writer.get(findMark[markedRow.table], markedRow.session, markedRow.number, mark)
  return row !== undefined
}

const leaveMark = (writer: Writer, { lane, mark, now }: Group): void => {
  writer.run("DELETE FROM lanes WHERE at < ?", now - markLifeMillis)
  writer.run(
    "INSERT INTO lanes (id, mark, at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, at = excluded.at",
    lane,
    mark,
    now
  )
}

/** Runs statements. Returns the failure of the one that failed. */
const failureOf = (run: () => void): SqlFailure | null => {
  try {
    run()
    return null
  } catch (thrown) {
    if (thrown instanceof SqlFailure) return thrown
    throw thrown
  }
}
