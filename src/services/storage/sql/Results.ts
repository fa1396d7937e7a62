/** A call's result: it takes the place that was set aside for it, and the head moves as far as the rows allow. */
import type { Transaction } from "./lane/GroupCommit.js"
import { type NewMessage, storeMessage } from "./MessageRow.js"
import { record, type SessionRow } from "./SessionRow.js"

/** Stores a result in the place of its call, whose row is gone, and moves the head as far as the rows allow. It is nobody's. */
export const complete = (tx: Transaction, session: SessionRow, result: Omit<NewMessage, "actor">): void => {
  const { run, seq } = result
  storeMessage(tx, session, { ...result, actor: null, finished: session.cursor + 1 })
  record(tx, session, "call.finished", { run, seq, actor: null })
  // A call before it has no result yet.
  if (seq > session.head + 1) return
  const end = tx.get<{ readonly head: number }>(
    `SELECT coalesce(
       (SELECT min(seq) - 1 FROM calls WHERE session = ?), (SELECT max(seq) FROM messages WHERE session = ?)
     ) AS head`,
    session.ordinal,
    session.ordinal
  )
  while (session.head < (end?.head ?? 0)) {
    session.head++
    record(tx, session, "message.appended", { run, seq: session.head, actor: null })
  }
}
