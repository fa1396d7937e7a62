/**
 * The migration of a data folder to the next version, as far as an engine of this version can tell: the mark of the file
 * goes up, whoever has it open.
 */
import Sqlite from "better-sqlite3"
import { join } from "node:path"

/** Returns everything that was stored at that moment. */
export const migrate = (data: string): unknown => {
  const connection = new Sqlite(join(data, "skein.db"), { timeout: 5_000 })
  try {
    connection.exec("BEGIN IMMEDIATE")
    const version = Number(connection.pragma("user_version", { simple: true }))
    connection.pragma(`user_version = ${version + 1}`)
    const all = rowsOf(connection)
    connection.exec("COMMIT")
    return all
  } finally {
    connection.close()
  }
}

/** Everything that is stored now. */
export const rows = (data: string): unknown => {
  const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
  try {
    return rowsOf(connection)
  } finally {
    connection.close()
  }
}

const rowsOf = (connection: Sqlite.Database): unknown =>
  connection
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all()
    .map((name) => [name, connection.prepare<[], unknown>(`SELECT * FROM "${name}"`).all()])
