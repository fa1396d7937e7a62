/**
 * Checks that a database has the tables, indexes and views of the newest schema, and no others. Also reads the version of
 * its schema from its migrations, whatever its header says.
 */
import type Sqlite from "better-sqlite3"
import * as Driver from "../Driver.js"
import { steps } from "../../../services/storage/sql/schema/Steps.js"

interface Part {
  readonly name: string
  readonly sql: string
}

/** The text of each part, by its name. Spaces and quotes are left out, as they depend on what changed it last. */
const partsOf = (connection: Sqlite.Database): ReadonlyMap<string, string> =>
  new Map(
    connection
      .prepare<[], Part>("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'")
      .all()
      .filter(({ name }) => name !== "migrations")
      .map(({ name, sql }) => [name, sql.replace(/[\s"]+/g, "")])
  )

let newest: ReadonlyMap<string, string> | null = null

/** The parts of the newest schema: those of an empty database in memory, which is made once. */
const wantedParts = (): ReadonlyMap<string, string> => {
  if (newest !== null) return newest
  const empty = Driver.inMemory()
  try {
    for (const { statements } of steps) for (const statement of statements) empty.exec(statement)
    return (newest = partsOf(empty))
  } finally {
    empty.close()
  }
}

/** The names of parts that are missing, changed or added. */
export const check = (connection: Sqlite.Database): ReadonlyArray<string> => {
  const [stored, wanted] = [partsOf(connection), wantedParts()]
  return [...new Set([...stored.keys(), ...wanted.keys()])].filter((name) => stored.get(name) !== wanted.get(name))
}

interface Migration {
  readonly id: number
  readonly name: string
}

/** The version of a database's schema; null when Skein has not created it. Throws when that cannot be read. */
export const versionOf = (connection: Sqlite.Database): number | null => {
  const made = connection
    .prepare<[], Migration>("SELECT migration_id AS id, name FROM migrations ORDER BY migration_id")
    .all()
  const [first] = made
  return first !== undefined && `${first.id}_${first.name}` === steps[0]?.name ? (made.at(-1)?.id ?? null) : null
}
