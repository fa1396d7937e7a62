/**
 * The row of a message: its place, its JSON text, and next to it the columns of a result. The doctor's placeholders
 * have the same columns.
 */
import type { Actor } from "../../../domain/Actor.js"
import type { Message } from "../../../domain/Message.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { SessionRow } from "./SessionRow.js"
import { insert, insertion, type StoredRow } from "./Table.js"
import { messages } from "./Tables.js"

type MessageColumns = StoredRow<typeof messages, "role" | "call" | "name" | "outcome" | "body">

/** The columns that depend on the message alone. `body` is its JSON text. */
export const columnsOf = (message: Message, body: string): MessageColumns => {
  const result = message.role === "tool" ? message : null
  return {
    role: message.role === "other" ? message.unknownRole : message.role,
    call: result?.callId ?? null,
    name: result?.name ?? null,
    outcome: result?.outcome ?? null,
    body
  }
}

/** Stores the row of a message. */
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
  "body",
  "startedAt",
  "finished",
  "display",
  "actor"
])

/** A message, and the place that it is stored in. */
export interface NewMessage {
  /** The run's ordinal; null for what a host appends. */
  readonly run: number | null
  readonly seq: number
  /** The newest event when the place was reserved. */
  readonly follows: number
  /** Who sent or appended it; null for what a run wrote. */
  readonly actor: Actor | null
  readonly message: Message
  readonly body: string
  /** When the step or the call began. */
  readonly startedAt?: number | null
  /** The cursor of a call's `call.finished` event. */
  readonly finished?: number
  /** How the call is shown, as JSON text. */
  readonly display?: string | null
}

/** Stores a message in its place, without moving the head. */
export function* storeMessage(
  tx: Transaction,
  { ordinal }: SessionRow,
  { actor, body, display = null, finished, follows, message, run, seq, startedAt = null }: NewMessage
): Program<void> {
  yield* insert(tx, insertMessage, {
    session: ordinal,
    seq,
    follows,
    mark: tx.mark,
    run,
    at: tx.now,
    ...columnsOf(message, body),
    startedAt,
    finished: finished ?? null,
    display,
    actor
  })
  tx.recorded("messages", ordinal, seq)
}
