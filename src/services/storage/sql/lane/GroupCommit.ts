/**
 * One transaction of the write lane: BEGIN, the writes (when isolated, each in a savepoint of its own), COMMIT, and the
 * check after a COMMIT that failed. All functions are synchronous, except `run`, which works in pieces. The lane
 * decides who waits for what, and what else has its turn between two pieces.
 *
 * Each group has a number, its mark, and stores it with the rows that it adds, or next to the lane's name when those
 * rows have no column for it. After a failed COMMIT the mark shows whether the group is stored: all of it or nothing.
 */
import type { Actor } from "../../../../domain/Actor.js"
import type { InPieces } from "../../../../domain/InPieces.js"
import type { StorageUnusable } from "../../../../domain/SkeinError.js"
import { type Service, SqlFailure, type Writer } from "../Database.js"
import * as Metrics from "../../../Metrics.js"
import * as Marks from "./Marks.js"
import { type Common, type MarkedRow, Notes, Transaction, type Wakeups } from "./Transaction.js"

export interface Member {
  /** Who asked for it. */
  readonly actor: Actor | null
  /** Runs the body and returns whether its changes stay. Throws `SqlFailure` when the whole group must end. */
  readonly run: (writer: Writer, transaction: Transaction) => InPieces<boolean>
}

export interface Group extends Common {
  readonly lane: string
  /** Milliseconds on a clock that only goes forward. */
  readonly elapsed: () => number
}

/** What the members have done in the open transaction. */
export type Ran<M> =
  /** All that they changed may be stored. */
  | ({ readonly _tag: "Ready" } & Ready)
  /** A member left changes that must not stay: run the group again, isolated. Nothing is stored. */
  | { readonly _tag: "Entangled" }
  /** Nothing is stored, and nothing ever will be. `culprit` is the member that failed, if a member did. */
  | { readonly _tag: "Failed"; readonly failure: SqlFailure; readonly culprit: M | null }

export interface Ready {
  readonly isChanged: boolean
  readonly wakeups: Wakeups
  /** Null when the mark is next to the lane's name. */
  readonly markedRow: MarkedRow | null
}

export interface FailedCommit {
  readonly failure: SqlFailure
  readonly mark: number
  readonly markedRow: MarkedRow | null
}

/**
 * Takes the lock, and makes sure that this version may still write. Returns why it was refused, or may not. Unless the
 * lock was refused, the transaction is open.
 */
export const begin = (writer: Writer, { outdated }: Pick<Service, "outdated">): SqlFailure | StorageUnusable | null => {
  try {
    writer.run("BEGIN IMMEDIATE")
    return outdated()
  } catch (thrown) {
    if (thrown instanceof SqlFailure) return thrown
    throw thrown
  }
}

/**
 * Runs the members in the open transaction. When isolated, each member has a savepoint of its own. That doubles the
 * cost, and a member that refuses has rarely changed anything. So a group runs without savepoints first, and when there
 * is something to undo, all of it is undone.
 */
export function* run<M extends Member>(
  writer: Writer,
  group: Group,
  members: Iterable<M>,
  isolated: boolean
): InPieces<Ran<M>> {
  const notes = new Notes()
  let culprit: M | null = null
  let isChanged = false
  try {
    for (const member of members) {
      culprit = member
      const transaction = new Transaction(group, member.actor)
      const before = writer.changes()
      if (isolated) writer.run("SAVEPOINT member")
      if (yield* member.run(writer, transaction)) {
        notes.add(transaction)
        isChanged ||= writer.changes() !== before
      } else if (isolated) writer.run("ROLLBACK TO member")
      else if (writer.changes() !== before) {
        return { _tag: "Entangled" }
      }
      if (isolated) writer.run("RELEASE member")
    }
    culprit = null
    if (isChanged && notes.markedRow === null) leaveMark(writer, group)
  } catch (thrown) {
    if (thrown instanceof SqlFailure) return { _tag: "Failed", failure: thrown, culprit }
    throw thrown
  }
  return { _tag: "Ready", isChanged, wakeups: notes.wakeups, markedRow: notes.markedRow }
}

/**
 * Ends the transaction: stores what has changed. Returns why that failed, in which case it is unknown whether the group
 * is stored.
 */
export const commit = (writer: Writer, group: Group, { isChanged, markedRow }: Ready): FailedCommit | null => {
  const begun = group.elapsed()
  const failure = failureOf(() => writer.run(isChanged ? "COMMIT" : "ROLLBACK"))
  if (isChanged) Metrics.commitTime.unsafeUpdate(group.elapsed() - begun, [])
  return failure === null ? null : { failure, mark: group.mark, markedRow }
}

/** Ends the transaction without storing anything. Returns whether the connection can be used again. */
export const rollBack = (writer: Writer): boolean => {
  failureOf(() => writer.run("ROLLBACK"))
  return !writer.inTransaction()
}

/**
 * Finds out whether a group whose COMMIT failed is stored, in the open transaction, and ends that transaction. The
 * group may be in the log, complete but not yet counted, and come back after a crash. So when its mark is missing,
 * another commit takes its place in the log: only then is it certain that the group is not stored.
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

const isStored = (writer: Writer, { lane }: Group, { mark, markedRow }: FailedCommit): boolean =>
  writer.get(...Marks.find(lane, mark, markedRow)) !== undefined

const leaveMark = (writer: Writer, { lane, mark, now }: Group): void => {
  writer.run(...Marks.removeOld(now))
  writer.run(...Marks.store(lane, mark, now))
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
