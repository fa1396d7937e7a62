/**
 * A transaction as the body of one write sees it: statements to yield, and notes of what the group needs to know. The
 * notes of a body that refuses are thrown away with its changes.
 */
import type { Actor } from "../../../../domain/Actor.js"
import type { Owner, SessionId } from "../../../../domain/Session.js"
import type { Parameter } from "../Database.js"
import * as Program from "./Program.js"

interface GoneSession {
  readonly sessionId: SessionId
  readonly owner: Owner | null
}

/** A row that has a group's mark: an event by its cursor, or a message by its place. */
export interface MarkedRow {
  readonly table: MarkedTable
  readonly session: number
  readonly number: number
}

export type MarkedTable = "event_rows" | "messages"

/** Whom to wake after the commit. */
export interface Wakeups {
  readonly sessions: ReadonlySet<SessionId>
  readonly gone: ReadonlyArray<GoneSession>
  /** Whether to wake the engines that hold runs. */
  readonly stopRequested: boolean
}

/** What all writes of a group have in common. */
export interface Common {
  /** Milliseconds since the epoch, one instant for all writes of a group. */
  readonly now: number
  /** The number of the group. */
  readonly mark: number
}

/** The notes of the bodies whose changes stay. */
export class Notes {
  readonly #sessions = new Set<SessionId>()
  readonly #gone: Array<GoneSession> = []
  #stopRequested = false
  #markedRow: MarkedRow | null = null

  add({ goneSessions, markedRow, stopRequested, touched }: Transaction): void {
    for (const sessionId of touched) this.#sessions.add(sessionId)
    this.#gone.push(...goneSessions)
    this.#stopRequested ||= stopRequested
    this.#markedRow = markedRow ?? this.#markedRow
  }

  get markedRow(): MarkedRow | null {
    return this.#markedRow
  }

  get wakeups(): Wakeups {
    return { sessions: this.#sessions, gone: this.#gone, stopRequested: this.#stopRequested }
  }
}

export class Transaction {
  readonly now: number
  readonly mark: number
  readonly touched: Array<SessionId> = []
  readonly goneSessions: Array<GoneSession> = []
  markedRow: MarkedRow | null = null
  stopRequested = false
  /** What to store when the body is done. */
  readonly endings = new Map<object, () => Program.Program<void>>()

  constructor(
    { mark, now }: Common,
    /** Who asked for the write; null for the engine itself. */
    readonly actor: Actor | null
  ) {
    this.now = now
    this.mark = mark
  }

  /** Returns the number of rows that it changes. */
  run(text: string, ...parameters: ReadonlyArray<Parameter>): Program.Statement<number> {
    return Program.run(text, parameters)
  }

  /** Returns the first row. `Row` names the columns that are selected. */
  get<Row>(text: string, ...parameters: ReadonlyArray<Parameter>): Program.Statement<Row | undefined> {
    return Program.get<Row>(text, parameters)
  }

  all<Row>(text: string, ...parameters: ReadonlyArray<Parameter>): Program.Statement<ReadonlyArray<Row>> {
    return Program.all<Row>(text, parameters)
  }

  /** Gives the space of removed rows back to the file system. Bounded: doing it again gives back more. */
  releaseSpace(): Program.Statement<void> {
    return Program.releaseSpace()
  }

  /** Notes a row that has the mark. */
  recorded(table: MarkedTable, session: number, number: number): void {
    this.markedRow = { table, session, number }
  }

  /** Notes a session whose watchers wake after the commit. */
  touch(sessionId: SessionId): void {
    this.touched.push(sessionId)
  }

  /** Notes a session that can no longer be found. */
  gone(session: GoneSession): void {
    this.goneSessions.push(session)
  }

  /** Stores the changes of `subject` when the body is done and its changes stay: once, however often this is called. */
  atEnd<A extends object>(subject: A, store: (tx: Transaction, subject: A) => Program.Program<void>): void {
    this.endings.set(subject, () => store(this, subject))
  }

  /** Wakes the engines that hold runs, because one of those runs must stop. */
  requestStop(): void {
    this.stopRequested = true
  }
}
