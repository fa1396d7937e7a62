/**
 * One value of one row is broken, whichever it is. What is found is repaired, once: after that nothing is found, every
 * other session is byte for byte what it was, and the broken session takes a message, as does one of the others. Each
 * column gets one of the wrong values in one of the golden folders, including that of the present version; in the short
 * form only every fourth column does. With SKEIN_ALL_VALUES=1 each column gets all of them, in rows of every kind in
 * all folders, which takes half an hour per folder.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sqlName, type Table } from "../../../../src/services/storage/sql/Table.js"
import { tables } from "../../../../src/services/storage/sql/Tables.js"
import { folder } from "../../services/storage/disk.js"
import * as Golden from "../../../support/golden/Golden.js"
import { leave } from "../../../support/golden/Make.js"
import * as Long from "../../../support/Long.js"
import { killedOf, ordinalsIn, rowsOf, sendTo, sendToAll } from "./killed.js"
import { damages, databaseIn, look, repair } from "./populated.js"

type Value = string | number | bigint | null

/** Wrong values that a column of this type accepts. */
const wrong = {
  INTEGER: [-1, 2n ** 53n, 2n ** 63n - 1n, 999_999],
  TEXT: ["", "{", "unknown", "[1]"]
}

interface Case {
  readonly column: string
  readonly value: Value
  /** The row's position in the table. */
  readonly row: number
}

/** The rows of each table that are broken: one of every kind that the table has. */
const rowsOfTable: Readonly<Record<string, ReadonlyArray<number>>> = {
  session_rows: [0, 2],
  runs: [0, 12, 13],
  messages: [0, 3, 4, 26, 48],
  calls: [0, 1],
  questions: [1, 3],
  event_rows: [3, 9]
}

const isAll = process.env["SKEIN_ALL_VALUES"] === "1"

const casesOf = (data: string, { columns, name }: Table): ReadonlyArray<Case> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const types = new Map(
    connection
      .prepare<[string], { readonly name: string; readonly type: "INTEGER" | "TEXT" }>(
        "SELECT name, type FROM pragma_table_xinfo(?)"
      )
      .all(name)
      .map(({ name, type }) => [name, type])
  )
  connection.close()
  return Object.keys(columns)
    .map(sqlName)
    .flatMap((column, index) => {
      const values = wrong[types.get(column) ?? "TEXT"]
      const rows = rowsOfTable[name] ?? [0]
      const every = rows.flatMap((row) => values.map((value) => ({ column, value, row })))
      return every.filter((_, number) => isAll || number === index % every.length)
    })
}

/**
 * Sets the value, and returns the sessions that the row belonged and belongs to; null if the table does not accept the
 * value.
 */
const breakValue = (data: string, { key, name, session }: Table, { column, row, value }: Case): Set<unknown> | null => {
  const connection = new Sqlite(databaseIn(data))
  connection.pragma("foreign_keys = OFF")
  connection.pragma("ignore_check_constraints = ON")
  const order = key.map(sqlName)
  const owner = session === null ? "NULL" : sqlName(session)
  try {
    const found = connection
      .prepare<[number], Record<string, Value>>(
        `SELECT *, ${owner} AS owner_of_it FROM ${name} ORDER BY ${order.join(", ")} LIMIT 1 OFFSET ?`
      )
      .get(row)
    if (found === undefined) return null
    const where = order.map((part) => `${part} = ?`).join(" AND ")
    const keys = order.map((part) => found[part] ?? null)
    connection.prepare<Array<Value>>(`UPDATE ${name} SET ${column} = ? WHERE ${where}`).run(value, ...keys)
    const of = new Set<unknown>([found["owner_of_it"]])
    return column === owner ? of.add(value) : of
  } catch {
    return null
  } finally {
    connection.close()
  }
}

const root = mkdtempSync(join(tmpdir(), "skein-now-"))
const now = join(root, "golden")

beforeAll(() => Effect.runPromise(leave(join(now, "data"))), 0)
afterAll(() => rmSync(root, { recursive: true }))

/** The data folders of all versions, and one made by this version. */
const folders = Effect.suspend(() => Effect.forEach([...Golden.versions.map(Golden.golden), now], killedOf))

describe("one broken value", () => {
  for (const table of tables) {
    it.scopedLive(
      `in ${table.name} is repaired in one pass, and no other session changes`,
      () =>
        Effect.gen(function* () {
          const bases = yield* folders
          const root = yield* folder
          const cases = bases.flatMap((base, number) =>
            casesOf(base, table)
              .filter((_, index) => isAll || index % bases.length === number)
              .map((broken) => [base, broken] as const)
          )
          for (const [index, [base, broken]] of (isAll ? cases : Long.some(cases, 4)).entries()) {
            const name = `${base}: ${table.name}.${broken.column} of row ${broken.row} = ${broken.value}`
            const data = Golden.copy(base, join(root, `${index}`))
            const of = breakValue(data, table, broken)
            if (of === null) continue
            const others = ordinalsIn(base).filter((ordinal) => !of.has(ordinal))
            const before = others.map((ordinal) => rowsOf(data, ordinal))
            const repaired = damages(yield* repair(data))
            const left = damages(yield* look(data))
            expect({ name, repaired, left }).toEqual({ name, repaired: [], left: [] })
            expect([name, others.map((ordinal) => rowsOf(data, ordinal))]).toEqual([name, before])
            const sent = yield* table.session === null ? sendToAll(data) : sendTo(data, [...of])
            expect([name, sent.length > 0]).toEqual([name, true])
            expect([name, sent.filter((end) => !end.endsWith(" completed"))]).toEqual([name, []])
            rmSync(data, { recursive: true })
          }
        }),
      0
    )
  }
})
