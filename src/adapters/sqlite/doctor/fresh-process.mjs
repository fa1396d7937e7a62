/**
 * The program of `FreshProcess.ts`: `node fresh-process.mjs look|hold PATH`. It prints its answer as one line of JSON.
 * `look` checks the database's pages and ends; `hold` keeps every other process from the database until it is killed.
 * This is JavaScript, because Node must run it from the sources as well.
 */
import Sqlite from "better-sqlite3"

const [, , task, path = ""] = process.argv

/** @param {object} answer */
const print = (answer) => console.log(JSON.stringify(answer))

try {
  if (task === "look") {
    const connection = new Sqlite(path, { readonly: true, fileMustExist: true })
    print({ _tag: "Looked", problems: connection.prepare("PRAGMA integrity_check(20)").pluck().all() })
  } else {
    const connection = new Sqlite(path, { fileMustExist: true, timeout: 0 })
    connection.pragma("locking_mode = EXCLUSIVE")
    connection.exec("BEGIN EXCLUSIVE")
    print({ _tag: "Held" })
  }
} catch (error) {
  print({ _tag: "Refused", code: error instanceof Sqlite.SqliteError ? error.code : "UNKNOWN" })
}

if (task === "hold") setInterval(() => {}, 1000)
