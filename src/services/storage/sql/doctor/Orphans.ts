/** Rows whose session has lost its own row. They are all kept: the session gets a new row. */
import { Effect, Struct } from "effect"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import type { Parameter } from "../Database.js"
import type { Query } from "../Query.js"
import { sqlName } from "../Table.js"
import { sessionRows, tables } from "../Tables.js"
import * as Change from "./Change.js"
import * as Rows from "./Rows.js"

/** The columns that identify a session. They exist in the schemas of all versions. */
export const sessionKeys = { ...sessionRows, columns: Struct.pick(sessionRows.columns, "ordinal", "id") }

const owners = tables
  .flatMap(({ name, session }) => (session === null ? [] : [`SELECT ${sqlName(session)} AS owner FROM ${name}`]))
  .join(" UNION ALL ")

/** The ordinals that rows refer to and no session has. */
export const ordinals = (query: Query): Effect.Effect<ReadonlyArray<number | bigint>, StorageFailed> =>
  query<{ readonly owner: number | bigint }>(
    "look for lost sessions",
    // Not `NOT IN`: where the ordinals do not fit its memory, PostgreSQL would go through them for each row.
    `SELECT DISTINCT owner FROM (${owners}) AS owners
     WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM session_rows WHERE ordinal = owners.owner) ORDER BY owner`
  ).pipe(Effect.map((rows) => rows.map(({ owner }) => owner)))

/** The changes that move all rows of one session to another. */
export const moves = (query: Query, from: Parameter, to: number) =>
  Effect.map(
    Effect.forEach(tables, (table) => {
      const { name, session } = table
      if (session === null || name === sessionRows.name) return Effect.succeed([])
      return Effect.map(Rows.all<typeof table>(query, table, [from, from]), (rows) =>
        rows.map((row) => Change.update(table, row, { [session]: to }))
      )
    }),
    (changes) => changes.flat()
  )

/** A new row for such a session. Its cursors start after all in the session's rows, with one skipped as by `settle`. */
export const adoption = (ordinal: number, id: string, isOlder = false): Change.Change => {
  const cursor = `max(${Change.cursorOf(`${ordinal}`)},
    coalesce((SELECT max(follows) + 1 FROM messages WHERE messages.session = ${ordinal}), 0)) + 1`
  const own = {
    id,
    createdAt: { sql: `coalesce((SELECT min(at) FROM messages WHERE messages.session = ${ordinal}), 0)` },
    named: 1,
    title: "Recovered",
    workdir: "/",
    metadata: "{}",
    firstCursor: { sql: `${cursor} + 1` }
  }
  // In older schemas a session's row has no head and no cursor.
  const position = isOlder
    ? { changedAt: 0, changedCursor: { sql: cursor } }
    : { updatedAt: 0, cursor: { sql: cursor }, head: { sql: Change.headOf(`${ordinal}`) } }
  return { table: sessionKeys, key: { ordinal }, values: { ...own, ...position }, isLoss: true }
}
