/** Drafts of running steps, one row a session. Removed when the step's message is stored or the run ends. */
import { Effect, Option } from "effect"
import type { Lease } from "../../../domain/Lease.js"
import type { Draft } from "../../../domain/Live.js"
import type { SessionId } from "../../../domain/Session.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { heldBy, type SessionRow } from "./SessionRow.js"
import { insert, insertion } from "./Table.js"
import { drafts as table } from "./Tables.js"

const insertDraft = insertion(table, ["session", "run", "seq", "body"], "replace")

export function* save(
  tx: Transaction,
  drafts: ReadonlyArray<{ readonly lease: Lease; readonly draft: Draft }>
): Program<void> {
  for (const { draft, lease } of drafts) {
    const session = yield* heldBy(tx, lease)
    if (session === undefined || draft.seq <= session.head) continue
    const { ordinal, run } = session
    yield* insert(tx, insertDraft, { session: ordinal, run, seq: draft.seq, body: JSON.stringify(draft) })
    tx.touch(session.id)
  }
}

export const dropDraft = (tx: Transaction, { ordinal }: SessionRow): Statement<number> =>
  tx.run("DELETE FROM drafts WHERE session = ?", ordinal)

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
