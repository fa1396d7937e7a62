/**
 * Checks that the columns of a message's row agree with the message. Only the outline that decides what may follow is
 * kept of each message, so that a long transcript takes little memory.
 */
import { Either, Struct } from "effect"
import { callsOf, isText, Message } from "../../../../domain/Message.js"
import { decoder, exactJson } from "../Decoding.js"
import { columnsOf } from "../MessageRow.js"
import { messages } from "../Tables.js"
import type { SessionKey } from "./Finding.js"
import * as Placeholder from "./Placeholder.js"
import * as Rows from "./Rows.js"

export type MessageRow = Rows.RowOf<typeof messages>

/** A row that was checked. */
export interface PassedMessage {
  /** Without its body. */
  readonly row: MessageRow
  /** Without its texts; or what about it does not decode. */
  readonly message: Either.Either<Message, string>
  /** The values according to the message, for columns that differ from it. */
  readonly wanted: Rows.Row
  /** Other columns that do not decode. */
  readonly damaged: ReadonlyArray<string>
}

const exactMessage = exactJson(Message)
const decodeMessage = decoder(messages.columns.body.schema)

/** The columns that can be checked without the message. */
const besideBody = { ...messages, columns: Struct.omit(messages.columns, "body", "seq", "session") }

const outline = (message: Message): Message => {
  switch (message.role) {
    case "user":
      return message.parts.every((part) => isText(part) && part.text.trim() === "")
        ? Placeholder.blank
        : Placeholder.user
    case "assistant":
      return { ...Placeholder.assistant(callsOf(message)), ...Struct.pick(message, "partial") }
    case "tool":
      return Placeholder.result(message, message.outcome)
    case "other":
      return { ...message, stored: { role: message.unknownRole } }
  }
}

/** The columns according to the message. A role or outcome that this version does not know never counts as damage. */
const wantedOf = (message: Message, body: string): Rows.Row => {
  const wanted = columnsOf(message, body)
  if (message.role === "other") return Struct.pick(wanted, "role", "body")
  return message.role === "tool" && message.outcome === "other" ? Struct.omit(wanted, "outcome") : wanted
}

export const check = (session: SessionKey, row: MessageRow): PassedMessage => {
  const body = typeof row.body === "string" ? row.body : ""
  const kept = { ...row, body: "" }
  const decoded = Either.orElse(
    Either.fromNullable(exactMessage(body), () => null),
    () => decodeMessage({ sessionId: session.id, seq: Number(row.seq) }, body)
  )
  if (Either.isLeft(decoded)) return { row: kept, message: Either.left(decoded.left.detail), wanted: {}, damaged: [] }
  const wanted = wantedOf(decoded.right, Rows.text(row.body))
  return {
    row: kept,
    message: Either.right(outline(decoded.right)),
    wanted: Rows.differing(row, wanted),
    damaged: Rows.damaged(besideBody, row).filter((name) => !(name in wanted))
  }
}
