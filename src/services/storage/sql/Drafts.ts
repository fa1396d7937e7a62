/** Drafts of running steps, one row a session. Removed when the step's message is stored or the run ends. */
import { Effect, Either, Option } from "effect"
import type { Lease } from "../../../domain/Lease.js"
import type { Draft } from "../../../domain/Live.js"
import type { SessionId } from "../../../domain/Session.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import type { Transaction } from "./lane/GroupCommit.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { held, type SessionRow } from "./SessionRow.js"
import { insert, insertion } from "./Table.js"
import { drafts as table } from "./Tables.js"

const insertDraft = insertion(table, ["session", "run", "seq", "body"], "INSERT OR REPLACE")

export const save = (
  tx: Transaction,
  drafts: ReadonlyArray<{ readonly lease: Lease; readonly draft: Draft }>
): Either.Either<void> => {
  for (const { draft, lease } of drafts) {
    const session = Either.getOrNull(held(tx, lease))
    if (session === null || draft.seq <= session.head) continue
    const { ordinal, run } = session
    insert(tx, insertDraft, { session: ordinal, run, seq: draft.seq, body: JSON.stringify(draft) })
    tx.touch(session.id)
  }
  return Either.void
}

export const dropDraft = (tx: Transaction, { ordinal }: SessionRow): void => {
  tx.run("DELETE FROM drafts WHERE session = ?", ordinal)
}

const decode = decoder(table.columns.body.schema)

export const find = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Option.Option<Draft>, StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<{ readonly body: string }>(
      "read the draft",
      `SELECT drafts.body FROM session_rows JOIN drafts ON drafts.session = session_rows.ordinal
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`,
      sessionId
    ),
    ([row]) => (row === undefined ? Effect.succeedNone : Effect.asSome(decode({ sessionId, seq: null }, row.body)))
  )
