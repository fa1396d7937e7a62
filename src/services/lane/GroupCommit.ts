/**
 * One transaction of the write lane, each function without a pause: BEGIN, each write in a savepoint of its own, COMMIT,
 * and what a failed COMMIT left behind. Who waits for what is the lane's business.
 *
 * Each group stores its number beside the lane's name. After a failed COMMIT that marker tells whether the group is
 * stored: all of it or nothing.
 */
import type { Either } from "effect"
import type { SessionId } from "../../domain/Session.js"
import { type Sql, SqlFailure, type Writer } from "../Database.js"

/** What a body may do: run statements, and say whose watchers are to be woken once they are committed. */
export interface Transaction extends Sql {
  /** Milliseconds since the epoch, one instant for all writes of a group. */
  readonly now: number
  readonly touch: (sessionId: SessionId) => void
}

export type Body<A, E> = (transaction: Transaction) => Either.Either<A, E>

export interface Member {
  /** Runs the body. Gives whether its changes are to stay; throws `SqlFailure` when the whole group must end. */
  readonly run: (transaction: Transaction) => boolean
}

export interface Marker {
  readonly lane: string
  readonly group: number
  readonly now: number
}

export type Ending<M> =
  /** What is to stay is stored. */
  | { readonly _tag: "Done"; readonly touched: ReadonlySet<SessionId> }
  /** A member left changes that are not to stay: the group is to be run again, isolated. Nothing is stored. */
  | { readonly _tag: "Entangled" }
  /** Nothing is stored, and nothing ever will be. `culprit` is the member at which it failed, if it was at one. */
  | { readonly _tag: "Failed"; readonly code: string; readonly culprit: M | null }
  /** Whether anything is stored is not known. */
  | { readonly _tag: "CommitFailed"; readonly code: string; readonly touched: ReadonlySet<SessionId> }

/** A marker that its lane has not renewed for this long may go. */
const markerLifeMillis = 24 * 60 * 60 * 1000

/** Takes the lock. Gives the code with which SQLite refused. */
export const begin = (writer: Writer): string | null => codeOf(() => writer.run("BEGIN IMMEDIATE"))

/**
 * Runs the members in the transaction that has begun, and commits what is to stay. Isolated, each has a savepoint of its
 * own to undo. That doubles the price, and a member that refuses has rarely changed anything before: so a group is first
 * run without, and when there is something to undo, all of it is.
 */
export const commit = <M extends Member>(
  writer: Writer,
  marker: Marker,
  members: ReadonlyArray<M>,
  isolated: boolean
): Ending<M> => {
  const touched: Array<SessionId> = []
  const transaction: Transaction = {
    run: writer.run,
    get: writer.get,
    all: writer.all,
    now: marker.now,
    touch: (sessionId) => void touched.push(sessionId)
  }
  let culprit: M | null = null
  let stay = 0
  let entangled = false
  const failed = codeOf(() => {
    mark(writer, marker)
    for (const member of members) {
      culprit = member
      const before = { touched: touched.length, changes: writer.changes() }
      if (isolated) writer.run("SAVEPOINT member")
      if (member.run(transaction)) stay++
      else {
        touched.length = before.touched
        if (isolated) writer.run("ROLLBACK TO member")
        else if (writer.changes() !== before.changes) {
          entangled = true
          return
        }
      }
      if (isolated) writer.run("RELEASE member")
    }
  })
  if (failed !== null) return { _tag: "Failed", code: failed, culprit }
  if (entangled) return { _tag: "Entangled" }
  const ended = codeOf(() => writer.run(stay === 0 ? "ROLLBACK" : "COMMIT"))
  if (ended === null) return { _tag: "Done", touched: new Set(touched) }
  return { _tag: "CommitFailed", code: ended, touched: new Set(touched) }
}

/** Ends the transaction without storing anything. Gives whether the connection can be used again. */
export const rollBack = (writer: Writer): boolean => {
  codeOf(() => writer.run("ROLLBACK"))
  return !writer.inTransaction()
}

/**
 * What became of group `failed`, whose COMMIT failed with `code`; decided in the transaction that has begun, and ends
 * it. The group may stand in the log, complete but for being counted, to be found after a crash. So when its marker is
 * not there, a commit takes its place: only then is it surely not stored.
 */
export const settle = (
  writer: Writer,
  marker: Marker,
  failed: { readonly group: number; readonly code: string }
): "stored" | "not-stored" | "unknown" => {
  let stored = false
  const failure = codeOf(() => {
    const row = writer.get<{ readonly number: number }>("SELECT number FROM lanes WHERE id = ?", marker.lane)
    stored = row?.number === failed.group
    mark(writer, stored ? { ...marker, group: failed.group } : marker)
    writer.run("COMMIT")
  })
  if (failure !== null) rollBack(writer)
  if (stored) return "stored"
  // On a full disk the page that would have completed the group in the log was never written.
  return failure === null || failed.code === "SQLITE_FULL" ? "not-stored" : "unknown"
}

const mark = (writer: Writer, { group, lane, now }: Marker): void => {
  if (group === 1) writer.run("DELETE FROM lanes WHERE at < ?", now - markerLifeMillis)
  writer.run(
    `INSERT INTO lanes (id, number, at) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET number = excluded.number, at = excluded.at`,
    lane,
    group,
    now
  )
}

/** Runs statements. Gives the code of the one that failed. */
const codeOf = (run: () => void): string | null => {
  try {
    run()
    return null
  } catch (thrown) {
    if (thrown instanceof SqlFailure) return thrown.code
    throw thrown
  }
}
