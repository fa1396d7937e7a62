/**
 * Repairs rows: makes the changes of the findings in one transaction. The rows are checked again before the commit: a
 * repair that leaves its finding in place is undone. The original rows are kept aside before the commit.
 */
import { Effect } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import * as Change from "./Change.js"
import type { Aside, Database } from "./Database.js"
import { type Finding, type Outcome, repairResult, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"

interface Means {
  readonly database: Pick<Database, "query" | "repair" | "run">
  readonly aside: Aside
}

type Findings = ReadonlyArray<Finding>

const nameOf = ({ ids, kind }: Finding): string =>
  JSON.stringify({ kind, ...ids }, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value))

/** The outcome of a finding that nothing is done about. */
export const found = (finding: Finding): Outcome => ({
  _tag: "Found",
  finding,
  isRepairable: finding.changes !== null
})

interface RowChanges {
  readonly finding: Finding
  /** The original rows, each with the change that was made to it. */
  readonly rows: ReadonlyArray<{ readonly change: Change.Change; readonly stored: Rows.Row | undefined }>
}

/** Makes all changes of a finding, or none when one fails. */
const make = (
  { query, run }: Means["database"],
  finding: Finding
): Effect.Effect<RowChanges | Outcome, StorageFailed> =>
  Effect.gen(function* () {
    yield* run("SAVEPOINT finding")
    const changes = Effect.forEach(finding.changes ?? [], (change) =>
      Effect.gen(function* () {
        const stored: Rows.Row | undefined = yield* Rows.at(query, change.table, change.key)
        const [text, parameters] = Change.make(change, stored !== undefined)
        yield* run(text, ...parameters)
        return { change, stored }
      })
    )
    const made = yield* Effect.catchAll(changes, ({ code }) =>
      Effect.as(run("ROLLBACK TO finding"), { _tag: "Failed" as const, finding, code })
    )
    yield* run("RELEASE finding")
    return "_tag" in made ? made : { finding, rows: made }
  })

const keep = (aside: Aside, session: SessionKey | null, { finding, rows }: RowChanges) =>
  Effect.gen(function* () {
    const kept: Array<string> = []
    for (const { change, stored } of rows) {
      if (stored === undefined) continue
      const { key, table } = change
      const name = [...(session === null ? [] : [session.id]), table.damage.row, Object.values(key).at(-1)]
      const row = Object.entries(stored).map(([name, value]) => [name, typeof value === "bigint" ? `${value}` : value])
      kept.push(yield* aside.keep(name.join("-").replace(/[^\w-]/g, "_"), Object.fromEntries(row)))
    }
    if (finding.kind === "asset-lost" && !finding.ids.isMissing) kept.push(yield* aside.move(finding.ids.path))
    const recovered = finding.kind === "session-rows-missing" ? finding.ids.names : []
    const lost = rows.filter(({ change }) => change.isLoss).length
    return { _tag: "Repaired" as const, finding, repaired: repairResult({ recovered, aside: kept, lost }) }
  })

/** `look` checks the rows again: those of `session`, or with null those that concern several sessions. */
export const run = <E, R>(
  { aside, database }: Means,
  session: SessionKey | null,
  findings: Findings,
  look: Effect.Effect<Findings, E, R>
): Effect.Effect<ReadonlyArray<Outcome>, E | StorageFailed, R> =>
  Effect.gen(function* () {
    const vain = new Set<string>()
    while (true) {
      yield* database.run("SAVEPOINT looked")
      const made: Array<RowChanges | Outcome> = []
      for (const finding of findings) {
        if (vain.has(nameOf(finding))) made.push({ _tag: "Failed", finding, code: "NO_EFFECT" })
        else made.push(finding.changes === null ? found(finding) : yield* make(database, finding))
      }
      if (session !== null) for (const text of Change.settle) yield* database.run(text, session.ordinal)
      const again = new Set((yield* look).map(nameOf))
      const persisting = made.filter((made) => "rows" in made && again.has(nameOf(made.finding)))
      if (persisting.length === 0) {
        return yield* Effect.forEach(made, (made) =>
          "rows" in made ? keep(aside, session, made) : Effect.succeed(made)
        )
      }
      yield* database.run("ROLLBACK TO looked")
      for (const { finding } of persisting) vain.add(nameOf(finding))
    }
  }).pipe((repair) =>
    findings.some(({ changes }) => changes !== null)
      ? database.repair(session)(repair)
      : Effect.succeed(findings.map(found))
  )
