/** A call's result: it takes the place that was set aside for it, and the head moves as far as the rows allow. */
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { type NewMessage, storeMessage } from "./MessageRow.js"
import { record, type SessionRow } from "./SessionRow.js"

type NewResult = Omit<NewMessage, "actor" | "finished">

/**
 * Stores a result in the place of its call, whose row is gone, and moves the head as far as the rows allow. The result
 * has no actor.
 */
export const complete = (tx: Transaction, session: SessionRow, result: NewResult): Program<void> =>
  completeAll(tx, session, [result])

/** The same for some results in call order, as if they came one after the other; their calls' rows are gone. */
export function* completeAll(tx: Transaction, session: SessionRow, results: ReadonlyArray<NewResult>): Program<void> {
  const places = results.map(({ seq }) => seq)
  const end = yield* endAfter(tx, session, places)
  const later = new Set(places)
  for (const result of results) {
    const { run, seq } = result
    yield* storeMessage(tx, session, { ...result, actor: null, finished: session.cursor + 1 })
    yield* record(tx, session, "call.finished", { run, seq, actor: null })
    later.delete(seq)
    while (session.head < end && !later.has(session.head + 1)) {
      session.head++
      yield* record(tx, session, "message.appended", { run, seq: session.head, actor: null })
    }
  }
}

/** The place up to which the head may move once these places have results. */
function* endAfter(tx: Transaction, { head, ordinal }: SessionRow, places: ReadonlyArray<number>): Program<number> {
  // A call before them has no result yet.
  if ((places[0] ?? 0) > head + 1) return head
  const end = yield* tx.get<{ readonly head: number }>(
    `SELECT coalesce(
       (SELECT min(seq) - 1 FROM calls WHERE session = ?),
       max(coalesce((SELECT max(seq) FROM messages WHERE session = ?), 0), ?)
     ) AS head`,
    ordinal,
    ordinal,
    places.at(-1) ?? 0
  )
  return end?.head ?? 0
}
