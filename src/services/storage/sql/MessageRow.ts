/**
 * A message's row: its JSON text, what a result's columns say beside it, and its place. The one INSERT of the table is
 * here; a doctor uses it too.
 */
import type { Message } from "../../../domain/Message.js"
import { insertion, type Stored } from "./Table.js"
import { messages } from "./Tables.js"

type MessageColumns = Stored<typeof messages, "role" | "call" | "name" | "outcome" | "body">

/** What a message itself is stored as. `body` is its JSON text. */
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
