/**
 * Results that were lost at the end of a transcript, for example with a damaged page: their calls have neither a result
 * nor a row of their own. A message after such calls would make the transcript unsendable for good, so they are closed
 * before the next message.
 */
import { Either, Schema } from "effect"
import * as Batch from "../../../domain/Batch.js"
import { callsOf } from "../../../domain/Message.js"
import { messages } from "./Tables.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { complete } from "./Results.js"
import type { SessionRow } from "./SessionRow.js"

interface Opener {
  readonly seq: number
  readonly run: number | null
  readonly body: string
  /** The last place that has a message. */
  readonly last: number
}

const decode = Schema.decodeUnknownEither(messages.columns.body.schema)

/** Whether a transcript whose last message has this role may end with a batch that lacks results. */
export const mayEnd = (lastRole: string | null): boolean => lastRole === "assistant" || lastRole === "tool"

/** Closes such calls, as if each had ended now. The session has no open batch. */
export function* close(tx: Transaction, session: SessionRow): Program<void> {
  const opener = yield* tx.get<Opener>(
    `SELECT seq, run, body, (SELECT max(seq) FROM messages WHERE session = ?) AS last FROM (
       SELECT seq, run, role, body FROM messages WHERE session = ? AND role <> 'tool' ORDER BY seq DESC LIMIT 1
     ) AS opener WHERE role = 'assistant' AND instr(body, '"call"') > 0`,
    session.ordinal,
    session.ordinal
  )
  if (opener === undefined) return
  const message = decode(opener.body)
  if (Either.isLeft(message)) return
  const lost = callsOf(message.right).slice(opener.last - opener.seq)
  if (lost.length === 0) return
  const { head } = session
  session.head = opener.last
  for (const call of lost) {
    const result = Batch.lost(call)
    const seq = session.head + 1
    yield* complete(tx, session, {
      run: opener.run,
      seq,
      follows: session.cursor,
      message: result,
      body: JSON.stringify(result)
    })
  }
  // What was lost after them stays lost, and is found by a doctor.
  session.head = Math.max(session.head, head)
}
