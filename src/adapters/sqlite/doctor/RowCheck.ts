/** Whether a session's own row, its runs and its questions can be read by the engine, and each of their values decodes. */
import { Effect, Option, Schema, Struct } from "effect"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId } from "../../../domain/Run.js"
import { SessionId } from "../../../domain/Session.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import * as Questions from "../../../services/storage/sql/Questions.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as Sessions from "../../../services/storage/sql/Sessions.js"
import { type Finding, make, type RowKind, rowTables, type SessionKey } from "./Finding.js"
import * as RowRepair from "./RowRepair.js"

/** The engine's own read of a row; none when its id is invalid. What it does not find is not damaged. */
const reader = <Id>(
  id: Schema.Schema<Id, string>,
  find: (
    query: Query,
    id: Id
  ) => Effect.Effect<unknown, RowDamaged | StorageFailed | { readonly _tag: `${string}NotFound` }>
) => {
  const decode = Schema.decodeOption(id)
  return (query: Query, id: string): Option.Option<Effect.Effect<Option.Option<string>, StorageFailed>> =>
    Option.map(decode(id), (id) =>
      Effect.matchEffect(find(query, id), {
        onSuccess: () => Effect.succeedNone,
        onFailure: (error) => {
          if (error._tag === "StorageFailed") return error
          return Effect.succeed(error._tag === "RowDamaged" ? Option.some(error.detail) : Option.none())
        }
      })
    )
}

const readers = {
  session: reader(SessionId, Sessions.find),
  run: reader(RunId, RunRows.find),
  question: reader(QuestionId, Questions.find)
}

const checkTable = (query: Query, session: SessionKey, row: RowKind) =>
  Effect.gen(function* () {
    const { name, session: column } = rowTables[row]
    const stored = yield* query<RowRepair.Row & { readonly ordinal: number; readonly id: string }>(
      `look at ${name}`,
      `SELECT * FROM ${name} WHERE ${column} = ? ORDER BY ordinal`,
      session.ordinal
    )
    const findings: Array<Finding> = []
    for (const values of stored) {
      const { id, ordinal } = values
      const read = readers[row](query, id)
      if (Option.isNone(read)) {
        findings.push(make("row-id-invalid", { session, row, ordinal, id }))
        continue
      }
      const damage = Option.orElse(yield* read.value, () =>
        Option.map(RowRepair.firstDamaged(row, values), (column) => `does not decode at ${column}`)
      )
      if (Option.isNone(damage)) continue
      const kind = Option.isSome(RowRepair.mended(row, values)) ? "row-damaged" : "row-beyond-repair"
      findings.push(make(kind, { session, row, ordinal, id, detail: damage.value }))
    }
    return findings
  })

export const check = (query: Query, session: SessionKey): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.map(
    Effect.forEach(Struct.keys(rowTables), (row) => checkTable(query, session, row)),
    (findings) => findings.flat()
  )
