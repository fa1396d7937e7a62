/** What a check costs, in statements: a few for each batch of sessions, and none for each session. */
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { join } from "node:path"
import { folder } from "../../services/storage/disk.js"
import { counted, texts } from "./statements.js"
import { damages, look, populate, tamper } from "./populated.js"

/** Adds many more sessions to a folder, each with what session `two` has. */
const multiply = (data: string, count: number) => {
  const numbers = `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})`
  const columns = (table: string) => {
    const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
    const names = connection.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(table)
    connection.close()
    return names
  }
  /** Copies the rows of session 2 for each number; `changed` has the columns with another value in the copy. */
  const clone = (table: string, changed: Record<string, string>) => {
    const names = columns(table)
    const owner = table === "session_rows" ? "ordinal" : "session"
    const values = names.map((name) => changed[name] ?? name).join(", ")
    return `${numbers} INSERT INTO ${table} (${names.join(", ")}) SELECT ${values} FROM ${table}, numbers WHERE ${owner} = 2`
  }
  tamper(
    data,
    clone("session_rows", { ordinal: "100 + n", id: "'more' || n" }),
    clone("runs", { ordinal: "100 + n", id: "'run_more' || n", session: "100 + n" }),
    clone("event_rows", { session: "100 + n", run: "iif(run IS NULL, NULL, 100 + n)" }),
    clone("messages", { session: "100 + n", run: "iif(run IS NULL, NULL, 100 + n)" })
  )
}

/** How SQLite reads tables for a statement. */
const planOf = (data: string, text: string): ReadonlyArray<string> => {
  const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
  const steps = connection
    .prepare<Array<null>, { readonly detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
    .all(...Array.from({ length: text.split("?").length - 1 }, () => null))
  connection.close()
  return steps.map(({ detail }) => detail)
}

it.scopedLive("a check of many sessions takes few statements", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    yield* populate(data)
    const [, few] = yield* counted(look(data))
    multiply(data, 1_000)
    const [seen, many] = yield* counted(look(data))
    expect(damages(seen)).toEqual([])
    expect(few).toBeGreaterThan(10)
    expect(many - few).toBeLessThan(1_000 / 4)
  })
)

it.scopedLive("what is read for each batch of sessions is found by indexes that the database has", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    yield* populate(data)
    multiply(data, 1_000)
    const ofBatches = [...(yield* texts(look(data)))].filter(
      ([text, count]) => count >= 10 && /^\s*(SELECT|WITH)/.test(text)
    )
    const plans = ofBatches.flatMap(([text]) => planOf(data, text))
    expect(plans.length).toBeGreaterThan(10)
    expect(plans.filter((plan) => /AUTOMATIC|^SCAN (?!given|CONSTANT ROW)/.test(plan))).toEqual([])
  })
)
