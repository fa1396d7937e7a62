/** Repairs of places of a transcript, each in one transaction. What was stored there is kept aside as JSON. */
import type Sqlite from "better-sqlite3"
import { Option, Schema } from "effect"
import * as Batch from "../../../domain/Batch.js"
import { callsOf, Message } from "../../../domain/Message.js"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import { columnsOf, insertMessage } from "../../../services/storage/sql/MessageRow.js"
import { type Ids, type Repaired, repaired, type SessionKey } from "./Finding.js"
import { change, type Means } from "./Means.js"
import * as Placeholder from "./Placeholder.js"

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

interface Call {
  readonly id: string
  readonly name: string
  readonly state: "pending" | "started"
  readonly follows: number
}

const decodeMessage = Schema.decodeUnknownOption(Schema.parseJson(Message))

/** A session's places: what they hold, and what belongs in them. */
const placesOf = (connection: Sqlite.Database, { ordinal }: SessionKey) => {
  const select = <R>(table: string, where: string) => {
    const statement = connection.prepare<[number, number], R>(`SELECT * FROM ${table} WHERE session = ? AND ${where}`)
    return (seq: number): R | undefined => statement.get(ordinal, seq)
  }
  const messageAt = select<Row>("messages", "seq = ?")
  const callAt = select<Call>("calls", "seq = ?")
  /** The last message before a place that is not a result. */
  const openerOf = select<Row>("messages", "seq < ? AND role <> 'tool' ORDER BY seq DESC LIMIT 1")
  const remove = (table: string) =>
    connection.prepare<[number, number]>(`DELETE FROM ${table} WHERE session = ? AND seq = ?`)
  const [removeMessage, removeCall] = [remove("messages"), remove("calls")]
  const insert = connection.prepare<Array<Parameter>>(insertMessage.statement)

  /** The call whose result, or open call, is in a place, by its columns. */
  const callAtPlace = (seq: number): Option.Option<Placeholder.CallOf> => {
    const row = messageAt(seq)
    if (row !== undefined) return row.role === "tool" ? Placeholder.callOf(row.call, row.name) : Option.none()
    const call = callAt(seq)
    return Placeholder.callOf(call?.id, call?.name)
  }

  /** The call that the message before a place asks for. */
  const askedFor = (seq: number): Option.Option<Placeholder.CallOf> =>
    Option.flatMap(Option.fromNullable(openerOf(seq)), (opener) =>
      Option.flatMap(decodeMessage(opener.body), (message) =>
        Option.fromNullable(callsOf(message)[seq - opener.seq - 1])
      )
    )

  /** The calls whose results, or open calls, follow right after a place. */
  const callsAfter = (seq: number): ReadonlyArray<Placeholder.CallOf> => {
    const calls: Array<Placeholder.CallOf> = []
    for (let next = seq + 1; ; next++) {
      const call = callAtPlace(next)
      if (Option.isNone(call)) return calls
      calls.push(call.value)
    }
  }

  return {
    messageAt,
    callAt,
    removeCall: (seq: number) => void removeCall.run(ordinal, seq),

    /** What is put into a place that has lost its message. */
    placeholder: (seq: number): Message => {
      const row = messageAt(seq)
      const isResult = row === undefined || row.role === "tool"
      const call = isResult ? Option.orElse(callAtPlace(seq), () => askedFor(seq)) : Option.none()
      if (Option.isSome(call)) return Placeholder.result(call.value, row?.outcome)
      const calls = row?.role === "user" ? [] : callsAfter(seq)
      const isAnswer = row === undefined ? messageAt(seq - 1)?.role === "user" : row.role === "assistant"
      return calls.length > 0 || isAnswer ? Placeholder.assistant(calls) : Placeholder.user
    },

    /** Puts a message in a place, instead of what is there. `follows` is the newest event before it. */
    store: (seq: number, message: Message, follows?: number): void => {
      const own = messageAt(seq)
      const near = own ?? messageAt(seq - 1)
      const run = message.role === "tool" ? openerOf(seq)?.run : null
      removeMessage.run(ordinal, seq)
      const row = {
        session: ordinal,
        seq,
        follows: follows ?? near?.follows ?? 0,
        mark: 0,
        run: own === undefined ? (run ?? null) : own.run,
        at: near?.at ?? 0
      }
      insert.run(...insertMessage.parameters({ ...row, ...columnsOf(message, JSON.stringify(message)) }))
    }
  }
}

/** Puts placeholders into places, instead of the messages that are there. */
export const fill = ({ first, last, session }: Ids["messages-missing"], means: Means): Repaired => {
  const places = placesOf(means.connection, session)
  const aside: Array<string> = []
  for (let seq = first; seq <= last; seq++) {
    const row = places.messageAt(seq)
    if (row !== undefined) aside.push(means.aside.keep(`${session.id}-message-${seq}`, row))
  }
  change(means, session, () => {
    for (let seq = first; seq <= last; seq++) places.store(seq, places.placeholder(seq))
  })
  return repaired({ aside, rows: [{ table: "messages", kept: 0, lost: last - first + 1, gaps: 0 }] })
}

/** Removes an open call. A call without a result gets the one that it would get after a crash. */
export const settle = ({ seq, session }: Ids["call-abandoned"], means: Means): Repaired => {
  const places = placesOf(means.connection, session)
  const row = places.callAt(seq)
  const kept = means.aside.keep(`${session.id}-call-${seq}`, row)
  change(means, session, () => {
    places.removeCall(seq)
    if (places.messageAt(seq) !== undefined) return
    const call = Option.map(Placeholder.callOf(row?.id, row?.name), (call) =>
      Batch.closing({ ...call, state: row?.state ?? "pending" })
    )
    places.store(
      seq,
      Option.getOrElse(call, () => Placeholder.user),
      row?.follows
    )
  })
  return repaired({ aside: [kept] })
}
