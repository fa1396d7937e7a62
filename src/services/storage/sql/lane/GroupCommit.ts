/**
 * One transaction of the write lane: BEGIN, each write in a savepoint of its own, COMMIT, and the check after a COMMIT
 * that failed. All functions are synchronous. The lane decides who waits for what.
 *
 * Each group has a number, its mark, and stores it with the rows that it adds, or beside the lane's name when they have
 * no such column. After a failed COMMIT the mark shows whether the group is stored: all of it or nothing.
 */
import type { Either } from "effect"
import type { Actor } from "../../../../domain/Actor.js"
import type { Owner, SessionId } from "../../../../domain/Session.js"
import { type Sql, SqlFailure, type Writer } from "../Database.js"
import * as Metrics from "../../../Metrics.js"

/** What a body may do: run statements, and name the sessions whose watchers wake after the commit. */
export interface Transaction extends Sql {
  /** Milliseconds since the epoch, one instant for all writes of a group. */
  readonly now: number
  /** The number of the group. */
  readonly mark: number
  /** Who asked for the write that runs now; null for the engine itself. */
  readonly actor: Actor | null
  /** Notes a row that has the mark: an event by its cursor, or a message by its place. */
  readonly recorded: (table: MarkedTable, session: number, number: number) => void
  readonly touch: (sessionId: SessionId) => void
  /** Notes a session that can no longer be found. */
  readonly gone: (session: GoneSession) => void
  /** Stores what has changed of `subject` when the body is done and its changes stay: once, however often it is asked. */
  readonly atEnd: <A extends object>(subject: A, store: (transaction: Transaction, subject: A) => void) => void
  /** Wakes the engines that hold runs, as one of them is to stop. */
  readonly requestStop: () => void
}

interface GoneSession {
  readonly sessionId: SessionId
  readonly owner: Owner | null
}

export type Body<A, E> = (transaction: Transaction) => Either.Either<A, E>

export interface Member {
  /** Who asked for it. */
  readonly actor: Actor | null
  /** Runs the body and returns whether its changes stay. Throws `SqlFailure` when the whole group must end. */
  readonly run: (transaction: Transaction) => boolean
}

export interface Group {
  readonly lane: string
  readonly mark: number
  readonly now: number
  /** Milliseconds on a clock that only goes forward. */
  readonly elapsed: () => number
}

/** A row that has a group's mark. */
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

/** Whom to wake after the commit. */
export interface Wakeups {
  readonly sessions: ReadonlySet<SessionId>
  readonly gone: ReadonlyArray<GoneSession>
  /** Whether to wake the engines that hold runs. */
  readonly stopRequested: boolean
}

export type Outcome<M> =
  /** The changes that stay are stored. */
  | { readonly _tag: "Done"; readonly wakeups: Wakeups }
  /** A member left changes that must not stay: run the group again, isolated. Nothing is stored. */
  | { readonly _tag: "Entangled" }
  /** Nothing is stored, and nothing ever will be. `culprit` is the member that failed, if it was one. */
  | { readonly _tag: "Failed"; readonly failure: SqlFailure; readonly culprit: M | null }
  /** It is unknown whether the group is stored. */
  | ({ readonly _tag: "CommitFailed"; readonly wakeups: Wakeups } & FailedCommit)

export interface FailedCommit {
  readonly failure: SqlFailure
  readonly mark: number
  /** Null when the mark is beside the lane's name. */
  readonly markedRow: MarkedRow | null
}

/** A mark that its lane has not renewed for this long may be removed. */
const markLifeMillis = 24 * 60 * 60 * 1000

/** Takes the lock. Returns why it was refused. */
export const begin = (writer: Writer): SqlFailure | null => failureOf(() => writer.run("BEGIN IMMEDIATE"))

/**
 * Runs the members in the open transaction and commits the changes that stay, if there are any. Isolated, each member has a savepoint of
 * its own. That doubles the cost, and a member that refuses has rarely changed anything: so a group runs first without
 * savepoints, and when there is something to undo, all of it is undone.
 */
export const commit = <M extends Member>(
  writer: Writer,
  group: Group,
  members: ReadonlyArray<M>,
  isolated: boolean
): Outcome<M> => {
  const touched: Array<SessionId> = []
  const gone: Array<GoneSession> = []
  const endings = new Map<object, () => void>()
  let stopRequested = false
  let markedRow: MarkedRow | null = null
  let actor: Actor | null = null
  const transaction: Transaction = {
    run: writer.run,
    get: writer.get,
    all: writer.all,
    releaseSpace: writer.releaseSpace,
    now: group.now,
    mark: group.mark,
    get actor() {
      return actor
    },
    recorded: (table, session, number) => void (markedRow = { table, session, number }),
    touch: (sessionId) => void touched.push(sessionId),
    gone: (session) => void gone.push(session),
    atEnd: (subject, store) => void endings.set(subject, () => store(transaction, subject)),
    requestStop: () => void (stopRequested = true)
  }
  let culprit: M | null = null
  let isChanged = false
  let entangled = false
  const failed = failureOf(() => {
    for (const member of members) {
      culprit = member
      actor = member.actor
      const before = { markedRow, touched: touched.length, gone: gone.length, changes: writer.changes() }
      if (isolated) writer.run("SAVEPOINT member")
      if (member.run(transaction)) {
        for (const store of endings.values()) store()
        endings.clear()
        isChanged ||= writer.changes() !== before.changes
      } else {
        endings.clear()
        markedRow = before.markedRow
        touched.length = before.touched
        gone.length = before.gone
        if (isolated) writer.run("ROLLBACK TO member")
        else if (writer.changes() !== before.changes) {
          entangled = true
          return
        }
      }
      if (isolated) writer.run("RELEASE member")
    }
    culprit = null
    if (isChanged && markedRow === null) leaveMark(writer, group)
  })
  if (failed !== null) return { _tag: "Failed", failure: failed, culprit }
  if (entangled) return { _tag: "Entangled" }
  const committing = group.elapsed()
  const failure = failureOf(() => writer.run(isChanged ? "COMMIT" : "ROLLBACK"))
  if (isChanged) Metrics.commitTime.unsafeUpdate(group.elapsed() - committing, [])
  return failure === null
    ? { _tag: "Done", wakeups: { sessions: new Set(touched), gone, stopRequested } }
    : {
        _tag: "CommitFailed",
        failure,
        mark: group.mark,
        markedRow,
        wakeups: { sessions: new Set(touched), gone, stopRequested }
      }
}

/** Ends the transaction without storing anything. Returns whether the connection can be used again. */
export const rollBack = (writer: Writer): boolean => {
  failureOf(() => writer.run("ROLLBACK"))
  return !writer.inTransaction()
}

/**
 * Finds out whether a group whose COMMIT failed is stored, in the open transaction, and ends that. The group may be in
 * the log, complete but not yet counted, and come back after a crash. So when its mark is missing, another commit takes
 * its place in the log: only then is it certain that the group is not stored.
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
