/**
 * One group of writes in one transaction on a connection that answers later. The rows of the group's sessions are
 * locked first, in order, by a separate statement; before that, the schema's version is read, and so kept as it is. Then
 * writes of different sessions run side by side, and writes of one session one after the other. A write of several
 * sessions, or of a session that is not known beforehand, runs alone.
 *
 * Each group stores its mark in the row of its lane, and so holds that row until it has ended. After a COMMIT that was
 * not answered, getting the lock on that row proves that the transaction is over, and the mark shows how it ended.
 */
import { SqlFailure, type Parameter } from "../../services/storage/sql/Database.js"
import * as Marks from "../../services/storage/sql/lane/Marks.js"
import type { LaterSql } from "../../services/storage/sql/lane/Program.js"
import { type Common, Notes, Transaction, type Wakeups } from "../../services/storage/sql/lane/Transaction.js"
import type { Subject } from "../../services/storage/sql/lane/WriteLane.js"
import type { Actor } from "../../domain/Actor.js"
import { type Connection, isRow } from "./Connection.js"
import { toPostgres } from "./Dialect.js"
import { steps } from "./Schema.js"
import * as SchemaLock from "./SchemaLock.js"
import { type ServerClock, time } from "./ServerClock.js"

export interface Member {
  readonly actor: Actor | null
  readonly subject: Subject
  /** Runs the body and returns whether its changes stay. Rejects with the `SqlFailure` that has ended the transaction. */
  readonly runLater: (sql: LaterSql, transaction: Transaction) => Promise<boolean>
}

export interface Group<M extends Member> extends Common {
  readonly lane: string
  /** How long to wait for a lock, in milliseconds; null for as long as the connection is set to. */
  readonly lockMillis: number | null
  /** Learns the server's time. */
  readonly clock: ServerClock
  readonly members: ReadonlyArray<M>
}

export type Outcome<M> =
  /** The changes that stay are stored. */
  | { readonly _tag: "Done"; readonly wakeups: Wakeups }
  /** A member left changes that must not stay: run each member by itself. Nothing is stored. */
  | { readonly _tag: "Entangled" }
  /** Nothing is stored, and nothing ever will be. `culprit` is the member whose statement failed, if it was one. */
  | { readonly _tag: "Failed"; readonly failure: SqlFailure; readonly culprit: M | null }
  /** Nothing is stored, because the schema has a version that this one does not know. */
  | { readonly _tag: "Outdated"; readonly version: number }
  /** It is unknown whether the group is stored. */
  | { readonly _tag: "CommitFailed"; readonly failure: SqlFailure; readonly wakeups: Wakeups }

const lockSessions = `SELECT 1 FROM session_rows WHERE id IN (SELECT value FROM json_each($1))
  ORDER BY id FOR NO KEY UPDATE`

/** Parameters: ids of sessions, of runs and of questions. */
const lockAny = `SELECT 1 FROM session_rows WHERE ordinal IN (
    SELECT ordinal FROM session_rows WHERE id IN (SELECT value FROM json_each($1))
    UNION ALL SELECT session FROM runs WHERE id IN (SELECT value FROM json_each($2))
    UNION ALL SELECT session FROM questions WHERE id IN (SELECT value FROM json_each($3))
  ) ORDER BY id FOR NO KEY UPDATE`

/** Returns a statement that locks the rows of all sessions of some subjects; null when there are none to lock. */
const lockOf = (subjects: ReadonlyArray<Subject>): readonly [text: string, ...parameters: Array<string>] | null => {
  const sessions = [...new Set(subjects.flatMap((subject) => ("sessions" in subject ? subject.sessions : [])))]
  const runs = subjects.flatMap((subject) => ("run" in subject ? [subject.run] : []))
  const questions = subjects.flatMap((subject) => ("question" in subject ? [subject.question] : []))
  if (runs.length + questions.length > 0) {
    return [lockAny, JSON.stringify(sessions), JSON.stringify(runs), JSON.stringify(questions)]
  }
  return sessions.length === 0 ? null : [lockSessions, JSON.stringify(sessions)]
}

/** The queue within the group: the id of a single session, or null for a member that runs alone. */
const queueOf = (subject: Subject): string | null => {
  if (!("sessions" in subject) || subject.sessions.length > 1) return null
  return subject.sessions[0] ?? ""
}

export const failureOf = (thrown: unknown): SqlFailure => {
  if (thrown instanceof SqlFailure) return thrown
  throw thrown
}

/** An insert of one row changes one row or fails: nobody has to wait for its answer. */
const isPlainInsert = (text: string): boolean => /^INSERT INTO \w+ \([^()]*\)\s+VALUES \([^()]*\)$/.test(text)

const plainInserts = new Map<string, boolean>()

const needsNoAnswer = (text: string): boolean => {
  const known = plainInserts.get(text)
  if (known !== undefined) return known
  const is = isPlainInsert(text)
  plainInserts.set(text, is)
  return is
}

/** The statements of one member. Records whether any has changed a row, and reports each failure. */
class Statements implements LaterSql {
  changed = false
  readonly #unawaited: Array<Promise<unknown>> = []

  constructor(
    readonly connection: Connection,
    readonly failed: (failure: SqlFailure) => void
  ) {}

  run(text: string, parameters: ReadonlyArray<Parameter>): number | Promise<number> {
    const sent = this.#send(text, parameters)
    if (!needsNoAnswer(text)) return sent.then(({ count }) => count)
    this.changed = true
    // Its failure is noted, and ends the transaction anyway.
    this.#unawaited.push(sent.catch(() => {}))
    return 1
  }

  async get<Row>(text: string, parameters: ReadonlyArray<Parameter>): Promise<Row | undefined> {
    const [row] = await this.all<Row>(text, parameters)
    return row
  }

  async all<Row>(text: string, parameters: ReadonlyArray<Parameter>): Promise<ReadonlyArray<Row>> {
    const { rows } = await this.#send(text, parameters)
    return rows.filter(isRow<Row>)
  }

  /** Waits for the statements that were not awaited when they were sent. */
  async settled(): Promise<void> {
    await Promise.all(this.#unawaited)
  }

  async #send(text: string, parameters: ReadonlyArray<Parameter>) {
    try {
      const answer = await this.connection.send(toPostgres(text), parameters)
      if (answer.command !== "SELECT" && answer.count > 0) this.changed = true
      return answer
    } catch (thrown) {
      this.failed(failureOf(thrown))
      throw thrown
    }
  }
}

/** Sends a statement, translated for PostgreSQL. */
const send = (connection: Connection, [text, ...parameters]: readonly [string, ...ReadonlyArray<Parameter>]) =>
  connection.send(toPostgres(text), parameters)

const rollBack = async (connection: Connection): Promise<null> => {
  await connection.send("ROLLBACK", []).catch(() => {})
  return null
}

/** Runs the members in a transaction and commits the changes that stay, if there are any. */
export const commit = async <M extends Member>(connection: Connection, group: Group<M>): Promise<Outcome<M>> => {
  const { lockMillis, members } = group
  /** The first one is why the transaction cannot be committed. */
  const failures: Array<{ readonly failure: SqlFailure; readonly culprit: M | null }> = []
  const fail = (culprit: M | null) => (failure: SqlFailure) => void failures.push({ failure, culprit })
  const noted = (thrown: unknown) => fail(null)(failureOf(thrown))
  const quietly = (sent: Promise<unknown>) => sent.catch(noted)

  const lock = lockOf(members.map(({ subject }) => subject))
  const begun = [quietly(connection.send("BEGIN", []))]
  if (lockMillis !== null) begun.push(quietly(connection.send(`SET LOCAL lock_timeout = ${lockMillis}`, [])))
  let version = 0
  const read = connection.send(SchemaLock.readVersion, [])
  // Its failure must be the first one that is known: those after it only say that it failed.
  begun.push(read.then(({ rows }) => void (version = SchemaLock.versionOf(rows)), noted))
  if (lock !== null) begun.push(quietly(send(connection, lock)))

  const notes = new Notes()
  const unawaited: Array<Promise<void>> = []
  let isChanged = false
  let isEntangled = false
  const runOne = async (member: M): Promise<void> => {
    if (failures.length > 0) return
    const statements = new Statements(connection, fail(member))
    const transaction = new Transaction(group, member.actor)
    try {
      const stays = await member.runLater(statements, transaction)
      if (stays) notes.add(transaction)
      if (statements.changed) {
        if (stays) isChanged = true
        else isEntangled = true
      }
    } catch (thrown) {
      fail(member)(failureOf(thrown))
    }
    unawaited.push(statements.settled())
  }

  const queues = new Map<string, Promise<void>>()
  let alone = Promise.resolve()
  for (const member of members) {
    const queue = queueOf(member.subject)
    if (queue === null) {
      const before = [...queues.values(), alone]
      queues.clear()
      alone = Promise.all(before).then(() => runOne(member))
    } else
      queues.set(
        queue,
        Promise.all([queues.get(queue), alone]).then(() => runOne(member))
      )
  }
  await Promise.all([...begun, ...queues.values(), alone])
  const isOutdated = version > steps.length
  // After a failed statement the server answers COMMIT with ROLLBACK, so COMMIT is sent before all statements are
  // answered.
  const mayCommit = failures.length === 0 && isChanged && !isEntangled && !isOutdated
  const uncommitted = await (mayCommit ? sendCommit(connection, group) : rollBack(connection))
  await Promise.all(unawaited)
  const { wakeups } = notes
  const [failed] = failures
  if (isOutdated) return { _tag: "Outdated", version }
  if (uncommitted?._tag === "Lost") return { _tag: "CommitFailed", failure: uncommitted.failure, wakeups }
  if (failed !== undefined) return { _tag: "Failed", ...failed }
  if (uncommitted?._tag === "Refused") return { _tag: "Failed", failure: uncommitted.failure, culprit: null }
  return isEntangled ? { _tag: "Entangled" } : { _tag: "Done", wakeups }
}

/** `Refused`: nothing is stored. `Lost`: it is unknown whether the group is stored. */
interface Uncommitted {
  readonly _tag: "Refused" | "Lost"
  readonly failure: SqlFailure
}

/** Stores the group's mark and commits. */
const sendCommit = async <M extends Member>(
  connection: Connection,
  { clock, lane, mark, now }: Group<M>
): Promise<Uncommitted | null> => {
  const [storeMark, ...parameters] = Marks.store(lane, mark, now)
  const learn = clock.ask()
  const marked = send(connection, [`${storeMark} RETURNING ${time}`, ...parameters]).then(({ rows }) => {
    learn(rows)
    return null
  }, failureOf)
  try {
    const { command } = await connection.send("COMMIT", [])
    const failure = await marked
    if (command === "COMMIT" && failure === null) return null
    return { _tag: "Refused", failure: failure ?? new SqlFailure({ code: "ROLLBACK", kind: "other" }) }
  } catch (thrown) {
    const failure = failureOf(thrown)
    await marked
    // A COMMIT that the server has refused stores nothing; only an unanswered one may have.
    return { _tag: failure.kind === "spoilt" ? "Lost" : "Refused", failure }
  }
}

/** Removes marks of lanes that are long gone. Nobody waits for it: the next lane does the same. */
export const removeOldMarks = (connection: Connection, now: number): void =>
  void send(connection, Marks.removeOld(now)).catch(() => {})

/** Locks the lane's row, waiting for a transaction that holds it. Parameters: the lane's id, a time. */
const lockLane = "INSERT INTO lanes (id, mark, at) VALUES ($1, -1, $2) ON CONFLICT (id) DO UPDATE SET at = excluded.at"

/**
 * Finds out whether a group whose COMMIT was not answered is stored, once its transaction is over. Rejects with the
 * `SqlFailure` that prevents it.
 */
export const isStored = async (connection: Connection, { lane, mark, now }: Common & { readonly lane: string }) => {
  try {
    const sent = [connection.send("BEGIN", []), connection.send(lockLane, [lane, now])]
    const found = send(connection, Marks.find(lane, mark, null))
    const [{ rows }] = await Promise.all([found, ...sent])
    await connection.send("COMMIT", [])
    return rows.length > 0
  } catch (thrown) {
    await rollBack(connection)
    throw thrown
  }
}
