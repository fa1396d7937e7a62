import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Either, Schema } from "effect"
import { steps } from "../../../../../src/services/storage/sql/schema/Steps.js"
import {
  insertion,
  isExpression,
  select,
  sqlName,
  type Table,
  table
} from "../../../../../src/services/storage/sql/Table.js"
import { tables } from "../../../../../src/services/storage/sql/Tables.js"

/** What the newest schema says of a table. */
const schemaOf = (connection: Sqlite.Database, name: string, hasRowid: boolean) => {
  const columns = connection
    .prepare<[string], { readonly name: string; readonly hidden: number; readonly pk: number }>(
      "SELECT name, hidden, pk FROM pragma_table_xinfo(?)"
    )
    .all(name)
  const uniques = connection
    .prepare<[string], string>(
      `SELECT (SELECT group_concat(name) FROM pragma_index_info(indexes.name)) FROM pragma_index_list(?) AS indexes
       WHERE "unique" AND NOT partial`
    )
    .pluck()
    .all(name)
  const primary = columns
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
    .map(({ name }) => name)
  return {
    columns: columns
      .filter(({ hidden }) => hidden === 0)
      .map(({ name }) => name)
      .toSorted(),
    keys: [primary.join(","), ...uniques],
    hasRowid,
    session: connection
      .prepare<[string], string>(`SELECT "from" FROM pragma_foreign_key_list(?) WHERE "table" = 'session_rows'`)
      .pluck()
      .all(name)
  }
}

describe("Tables", () => {
  const connection = new Sqlite(":memory:")
  for (const { statements } of steps) for (const statement of statements) connection.exec(statement)
  const found = connection
    .prepare<[], { readonly name: string; readonly wr: number }>(
      "SELECT name, wr FROM pragma_table_list() WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    .all()

  it("are the tables of the newest schema", () => {
    expect(tables.map(({ name }) => name).toSorted()).toEqual(found.map(({ name }) => name).toSorted())
  })

  it.each<[string, Table]>(tables.map((table) => [table.name, table]))(
    "%s matches the newest schema",
    (name, table) => {
      const schema = schemaOf(
        connection,
        name,
        found.some((row) => row.name === name && row.wr === 0)
      )
      expect(Object.keys(table.columns).map(sqlName).toSorted()).toEqual(schema.columns)
      expect(schema.keys).toContain(table.key.map(sqlName).join(","))
      expect(table.hasRowid).toBe(schema.hasRowid)
      if (name !== "session_rows")
        expect(schema.session).toEqual(table.session === null ? [] : [sqlName(table.session)])
    }
  )

  it.each<[string, Table]>(tables.map((table) => [table.name, table]))(
    "%s: the values that a repair stores can be decoded",
    (_, { columns }) => {
      for (const { least, schema } of Object.values(columns)) {
        if (least === undefined) continue
        const stored = isExpression(least)
          ? connection.prepare(`SELECT ${least.sql} FROM (SELECT 7 AS ordinal)`).pluck().get()
          : least
        expect(Either.isRight(Schema.decodeUnknownEither(schema)(stored))).toBe(true)
      }
    }
  )
})

describe("Table", () => {
  const notes = table({
    name: "notes",
    key: ["id"],
    session: null,
    hasRowid: true,
    isTransient: false,
    damage: { row: "note", remedy: "it is dropped" },
    columns: { id: { schema: Schema.Int }, writtenAt: { schema: Schema.Int }, text: { schema: Schema.String } }
  })

  it("selects columns under their names in code", () => {
    expect(select(notes, ["id", "writtenAt"])).toBe('notes.id, notes.written_at AS "writtenAt"')
    expect(select(notes, ["text"], "own")).toBe("own.text")
  })

  it("inserts values in the order of the columns, whatever the order in the row", () => {
    const { parameters, statement } = insertion(notes, ["id", "writtenAt", "text"])
    expect(statement).toMatch(/^INSERT INTO notes \(id, written_at, text\)\s+VALUES \(\?, \?, \?\)$/)
    expect(parameters({ text: "a", id: 1, writtenAt: 2 })).toEqual([1, 2, "a"])
  })
})
