/**
 * Repairs rows: makes the changes that findings name, in one transaction. Before it is committed the rows are looked at
 * again: a repair after which the same is found has done nothing, and is undone. Rows as they were are kept aside first.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import type { Aside } from "../Aside.js"
import * as Change from "./Change.js"
import { attempt, transaction } from "./Connection.js"
import { type Finding, type Outcome, repairResult, type SessionKey } from "./Finding.js"
import { found } from "./Repairs.js"
import * as Rows from "./Rows.js"

export interface Means {
  /** Nothing else has the database open. */
  readonly connection: Sqlite.Database
  readonly aside: Aside
}

type Findings = ReadonlyArray<Finding>

const nameOf = ({ ids, kind }: Finding): string => JSON.stringify({ kind, ...ids })

interface RowChanges {
  readonly finding: Finding
  /** The rows as they were, with the changes that were made to them. */
  readonly rows: ReadonlyArray<{ readonly change: Change.Change; readonly stored: Rows.Row | undefined }>
}

/** Makes the changes of a finding: all or, when it throws, none. */
const change = (connection: Sqlite.Database, finding: Finding): RowChanges | Outcome => {
  connection.exec("SAVEPOINT finding")
  try {
    const rows = (finding.changes ?? []).map((change) => ({ change, stored: Change.make(connection, change) }))
    connection.exec("RELEASE finding")
    return { finding, rows }
  } catch (thrown) {
    connection.exec("ROLLBACK TO finding; RELEASE finding")
    return { _tag: "Failed", finding, code: codeOf(thrown) }
  }
}

const keep = (aside: Aside, session: SessionKey | null, { finding, rows }: RowChanges): Outcome => {
  const kept = rows.flatMap(({ change: { key, table }, stored }) => {
    if (stored === undefined) return []
    const name = [...(session === null ? [] : [session.id]), table.damage.row, Object.values(key).at(-1)]
      .join("-")
      .replace(/[^\w-]/g, "_")
    const row = Object.entries(stored).map(([name, value]) => [name, typeof value === "bigint" ? `${value}` : value])
    return [aside.keep(name, Object.fromEntries(row))]
  })
  const changed = finding.kind === "asset-lost" && !finding.ids.isMissing ? [finding.ids.path] : []
  return {
    _tag: "Repaired",
    finding,
    repaired: repairResult({
      recovered:
        finding.kind === "session-rows-missing" ? rows.map(({ change }) => Rows.text(change.values?.["id"])) : [],
      aside: [...kept, ...changed.map(aside.move)],
      lost: rows.filter(({ change }) => change.isLoss).length
    })
  }
}

/** `look` looks at the rows again: those of `session`, or those that concern more than one. */
export const run = <E, R>(
  { aside, connection }: Means,
  session: SessionKey | null,
  findings: Findings,
  look: Effect.Effect<Findings, E, R>
): Effect.Effect<ReadonlyArray<Outcome>, E | StorageFailed, R> =>
  Effect.gen(function* () {
    const vain = new Set<string>()
    while (true) {
      connection.exec("SAVEPOINT repair")
      const made = findings.map((finding): RowChanges | Outcome => {
        if (vain.has(nameOf(finding))) return { _tag: "Failed", finding, code: "NO_EFFECT" }
        return finding.changes === null ? found(finding) : change(connection, finding)
      })
      if (session !== null) Change.settle(connection, session.ordinal)
      const again = new Set((yield* look).map(nameOf))
      const persisting = made.filter((made) => "rows" in made && again.has(nameOf(made.finding)))
      if (persisting.length === 0) {
        return yield* attempt("keep rows aside", () =>
          made.map((made) => ("rows" in made ? keep(aside, session, made) : made))
        )
      }
      connection.exec("ROLLBACK TO repair")
      for (const { finding } of persisting) vain.add(nameOf(finding))
    }
  }).pipe((repair) =>
    findings.some(({ changes }) => changes !== null)
      ? transaction(connection, "repair", repair)
      : Effect.succeed(findings.map(found))
  )
