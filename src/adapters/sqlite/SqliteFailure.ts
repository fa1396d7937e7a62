/** What SQLite's codes mean for the port: a failure keeps its code, never the text of its statement. */
import { type FailureKind, SqlFailure } from "../../services/storage/sql/Database.js"

const kinds: ReadonlyArray<readonly [prefix: RegExp, FailureKind]> = [
  [/^SQLITE_BUSY/, "busy"],
  [/^SQLITE_CONSTRAINT/, "constraint"],
  [/^SQLITE_FULL/, "full"],
  [/^SQLITE_(IOERR|CORRUPT|NOTADB)/, "spoilt"]
]

export const fromCode = (code: string): SqlFailure =>
  new SqlFailure({ code, kind: kinds.find(([prefix]) => prefix.test(code))?.[1] ?? "other" })

/** Whether a code says that the disk is full. Even a read needs room there, for the shared memory of the log. */
export const isOfFullDisk = (code: string): boolean => /^SQLITE_(?:FULL|IOERR_SHMSIZE)$/.test(code)
