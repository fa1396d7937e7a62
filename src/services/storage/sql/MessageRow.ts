/**
 * The row of a message: its place, its JSON text, and beside it the columns of a result. The doctor's placeholders have
 * the same columns.
 */
import type { Message } from "../../../domain/Message.js"
import { insertion, type StoredRow } from "./Table.js"
import { messages } from "./Tables.js"

type MessageColumns = StoredRow<typeof messages, "role" | "call" | "name" | "outcome" | "body">

/** The columns that depend on the message alone. `body` is its JSON text. */
export const columnsOf = (message: Message, body: string): MessageColumns => {
  const result = message.role === "tool" ? message : null
  return {
    role: message.role,
    call: result?.callId ?? null,
    name: result?.name ?? null,
    outcome: result?.outcome ?? null,
    body
  }
}

export const insertMessage = insertion(messages, [
  "session",
  "seq",
  "follows",
  "mark",
  "run",
  "at",
  "role",
  "call",
  "name",
  "outcome",
  "body"
])
