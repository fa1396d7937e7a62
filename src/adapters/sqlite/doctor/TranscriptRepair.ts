/** Repairs of single places of a transcript. Each is one transaction; what was stored there is moved aside as JSON. */
import type Sqlite from "better-sqlite3"
import { Either, Option, Schema } from "effect"
import * as Batch from "../../../domain/Batch.js"
import { callsOf, Message } from "../../../domain/Message.js"
import type { Means, Repair } from "./Finding.js"
import * as Placeholder from "./Placeholder.js"
import { type Subject, tellAnew } from "./Subject.js"

interface Row {
  readonly seq: number
  readonly follows: number
  readonly run: number | null
  readonly at: number
  readonly role: string
  readonly call: string | null
  readonly name: string | null
  readonly outcome: string | null
  readonly body: string
}

const columns = "seq, follows, run, at, role, call, name, outcome, body"

const decodeMessage = Schema.decodeUnknownEither(Schema.parseJson(Message))

const rowAt = (connection: Sqlite.Database, session: number, seq: number): Row | undefined =>
  connection
    .prepare<[number, number], Row>(`SELECT ${columns} FROM messages WHERE session = ? AND seq = ?`)
    .get(session, seq)

/** The last message before a place that is not a result. */
const openerOf = (connection: Sqlite.Database, session: number, seq: number): Row | undefined =>
  connection
    .prepare<[number, number], Row>(
      `SELECT ${columns} FROM messages WHERE session = ? AND seq < ? AND role <> 'tool' ORDER BY seq DESC LIMIT 1`
    )
    .get(session, seq)

/** The call whose result belongs into a place, as the message says that asks for it. */
const expectedCall = (connection: Sqlite.Database, session: number, seq: number): Option.Option<Placeholder.CallOf> => {
  const opener = openerOf(connection, session, seq)
  if (opener === undefined) return Option.none()
  return Option.flatMap(Either.getRight(decodeMessage(opener.body)), (message) =>
    Option.fromNullable(callsOf(message)[seq - opener.seq - 1])
  )
}

/** The calls whose results, or open calls, have the places right after `seq`. */
const callsAfter = (connection: Sqlite.Database, session: number, seq: number): ReadonlyArray<Placeholder.CallOf> => {
  const select = connection.prepare<
    [number, number, number, number],
    { readonly call: unknown; readonly name: unknown }
  >(
    `SELECT call, name FROM messages WHERE session = ? AND seq = ? AND role = 'tool'
     UNION ALL SELECT id, name FROM calls WHERE session = ? AND seq = ?`
  )
  const calls: Array<Placeholder.CallOf> = []
  for (let next = seq + 1; ; next++) {
    const row = select.get(session, next, session, next)
    const call = row === undefined ? Option.none() : Placeholder.callOf(row.call, row.name)
    if (Option.isNone(call)) return calls
    calls.push(call.value)
  }
}

/** What is put into a place that has lost its message. */
const substitute = (connection: Sqlite.Database, session: number, seq: number, row: Row | undefined): Message => {
  const known = row?.role === "tool" ? Placeholder.callOf(row.call, row.name) : Option.none()
  if (row === undefined || row.role === "tool") {
    const call = Option.orElse(known, () => expectedCall(connection, session, seq))
    if (Option.isSome(call)) return Placeholder.result(call.value, row?.outcome)
  }
  const calls = row?.role === "user" ? [] : callsAfter(connection, session, seq)
  const isAssistant =
    row === undefined ? rowAt(connection, session, seq - 1)?.role === "user" : row.role === "assistant"
  return calls.length > 0 || isAssistant ? Placeholder.assistant(calls) : Placeholder.user
}

const inTransaction = ({ connection }: Means, run: () => void): void => connection.transaction(run).immediate()

const columnsOf = (message: Message) => [
  message.role,
  message.role === "tool" ? message.callId : null,
  message.role === "tool" ? message.name : null,
  message.role === "tool" ? message.outcome : null,
  JSON.stringify(message)
]

/** Puts a message in the place of one that does not decode. */
export const replace =
  ({ id, ordinal }: Subject, seq: number): Repair =>
  (means) => {
    const { aside, connection } = means
    const row = rowAt(connection, ordinal, seq)
    const kept = aside.keep(`${id}-message-${seq}`, row)
    inTransaction(means, () => {
      connection
        .prepare(
          "UPDATE messages SET role = ?, call = ?, name = ?, outcome = ?, body = ? WHERE session = ? AND seq = ?"
        )
        .run(...columnsOf(substitute(connection, ordinal, seq, row)), ordinal, seq)
      tellAnew(means, ordinal)
    })
    return `replaced; what was stored is in ${kept}`
  }

/** Puts messages into places that have none. */
export const fill =
  ({ ordinal }: Subject, first: number, last: number): Repair =>
  (means) => {
    const { connection } = means
    const insert = connection.prepare(
      `INSERT INTO messages (session, seq, follows, mark, run, at, role, call, name, outcome, body)
       VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`
    )
    inTransaction(means, () => {
      for (let seq = first; seq <= last; seq++) {
        const before = rowAt(connection, ordinal, seq - 1)
        const message = substitute(connection, ordinal, seq, undefined)
        const run = message.role === "tool" ? (openerOf(connection, ordinal, seq)?.run ?? null) : null
        insert.run(ordinal, seq, before?.follows ?? 0, run, before?.at ?? 0, ...columnsOf(message))
      }
      tellAnew(means, ordinal)
    })
    return "filled"
  }

const callAt = (connection: Sqlite.Database, session: number, seq: number) =>
  connection
    .prepare<
      [number, number],
      { readonly id: string; readonly name: string; readonly state: "pending" | "started"; readonly follows: number }
    >("SELECT * FROM calls WHERE session = ? AND seq = ?")
    .get(session, seq)

const removeCall = (connection: Sqlite.Database, session: number, seq: number): void =>
  void connection.prepare("DELETE FROM calls WHERE session = ? AND seq = ?").run(session, seq)

export const dropCall =
  ({ id, ordinal }: Subject, seq: number): Repair =>
  (means) => {
    const kept = means.aside.keep(`${id}-call-${seq}`, callAt(means.connection, ordinal, seq))
    inTransaction(means, () => {
      removeCall(means.connection, ordinal, seq)
      tellAnew(means, ordinal)
    })
    return `moved to ${kept}`
  }

export const closeCall =
  ({ ordinal }: Subject, seq: number): Repair =>
  (means) => {
    const { connection } = means
    inTransaction(means, () => {
      const row = callAt(connection, ordinal, seq)
      const call = Placeholder.callOf(row?.id, row?.name)
      const message =
        row === undefined || Option.isNone(call) ? Placeholder.user : Batch.closing({ ...call.value, state: row.state })
      removeCall(connection, ordinal, seq)
      connection
        .prepare(
          `INSERT INTO messages (session, seq, follows, mark, run, at, role, call, name, outcome, body)
           VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`
        )
        .run(
          ordinal,
          seq,
          row?.follows ?? 0,
          openerOf(connection, ordinal, seq)?.run ?? null,
          openerOf(connection, ordinal, seq)?.at ?? 0,
          ...columnsOf(message)
        )
      tellAnew(means, ordinal)
    })
    return "closed"
  }
