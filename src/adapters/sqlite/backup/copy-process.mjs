/**
 * The program of `DatabaseCopy.ts`: `node copy-process.mjs PATH TARGET` copies the database at PATH, page by page and as
 * it is at one instant, into TARGET, an empty file. Others may write meanwhile. It prints lines of JSON.
 * This is JavaScript, because Node must run it from the sources as well.
 */
import Sqlite from "better-sqlite3"

const [, , path = "", target = ""] = process.argv

const stepPages = 1000

/** @param {object} answer */
const print = (answer) => console.log(JSON.stringify(answer))

// Nobody reads any more: the process that wanted the copy is gone.
process.stdout.on("error", () => process.exit(1))

let isOpen = false
try {
  const connection = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 0 })
  // Everything read from here on is from one moment, so nobody's change makes the copy start again.
  connection.exec("BEGIN")
  const pages = Number(connection.pragma("page_count", { simple: true }))
  const bytes = pages * Number(connection.pragma("page_size", { simple: true }))
  isOpen = true
  await connection.backup(target, {
    progress: ({ remainingPages, totalPages }) => {
      print({ _tag: "Copying", done: Math.round((bytes * (totalPages - remainingPages)) / totalPages), total: bytes })
      return stepPages
    }
  })
  print({ _tag: "Copying", done: bytes, total: bytes })
  connection.close()
  // The copy has its original's journal mode, and needs none.
  const copy = new Sqlite(target, { fileMustExist: true })
  copy.pragma("journal_mode = DELETE")
  copy.close()
  print({ _tag: "Copied" })
} catch (error) {
  print({ _tag: "Refused", code: error instanceof Sqlite.SqliteError ? error.code : "UNKNOWN", isOpen })
}
