/**
 * The program of `DatabaseCopy.ts`: `node copy-process.mjs PATH TARGET QUERY` prints lines of JSON. For each line `look`
 * of its input it takes the database at PATH as it is now, and prints the rows that QUERY selects before an ordinal, from
 * the last one down. For a line `copy` it copies what it took last into TARGET, an empty file, page by page, and ends.
 * Others may write meanwhile.
 * This is JavaScript, because Node must run it from the sources as well.
 */
import Sqlite from "better-sqlite3"
import { createInterface } from "node:readline"

const [, , path = "", target = "", query = ""] = process.argv

const stepPages = 1000

/** @param {object} answer */
const print = (answer) => console.log(JSON.stringify(answer))

// Nobody reads any more: the process that wanted the copy is gone.
process.stdout.on("error", () => process.exit(1))

/** @param {Sqlite.Database} connection */
const look = (connection) => {
  if (connection.inTransaction) connection.exec("ROLLBACK")
  // Everything read from here on is from one moment, so nobody's change makes the copy start again.
  connection.exec("BEGIN")
  try {
    /** @type {Sqlite.Statement<[number], { readonly ordinal: number }>} */
    const rowsBefore = connection.prepare(query)
    for (let before = Number.MAX_SAFE_INTEGER; ; ) {
      const rows = rowsBefore.all(before)
      const last = rows.at(-1)
      if (last === undefined) break
      before = last.ordinal
      print({ _tag: "Found", rows })
    }
  } catch (error) {
    // Reading stops at a damaged page, which is copied as it is.
    if (!(error instanceof Sqlite.SqliteError) || error.code.startsWith("SQLITE_BUSY")) throw error
  }
  print({ _tag: "Looked" })
}

/** @param {Sqlite.Database} connection */
const copy = async (connection) => {
  const pages = Number(connection.pragma("page_count", { simple: true }))
  const bytes = pages * Number(connection.pragma("page_size", { simple: true }))
  await connection.backup(target, {
    progress: ({ remainingPages, totalPages }) => {
      print({ _tag: "Copying", done: Math.round((bytes * (totalPages - remainingPages)) / totalPages) })
      return stepPages
    }
  })
  print({ _tag: "Copying", done: bytes })
  connection.close()
  // The copy has its original's journal mode, and needs none.
  const copied = new Sqlite(target, { fileMustExist: true })
  copied.pragma("journal_mode = DELETE")
  copied.close()
  print({ _tag: "Copied" })
}

let isOpen = false
try {
  const connection = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 0 })
  connection.pragma("page_count")
  isOpen = true
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "look") look(connection)
    else {
      await copy(connection)
      break
    }
  }
} catch (error) {
  print({ _tag: "Refused", code: error instanceof Sqlite.SqliteError ? error.code : "UNKNOWN", isOpen })
}
