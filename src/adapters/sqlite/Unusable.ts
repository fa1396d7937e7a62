/** The typed error for a database that cannot be opened, with SQLite's or the system's code and without their texts. */
import { Effect } from "effect"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { busyScheduleUpTo } from "../../services/storage/sql/Database.js"
import { codeOf } from "../ErrorCode.js"
import * as SqliteFailure from "./SqliteFailure.js"

type Reason = StorageUnusable["reason"]

const noAccess = /^(SQLITE_(CANTOPEN|PERM|READONLY|AUTH)|EACCES|EPERM|EROFS|EEXIST|ENOTDIR|ENOENT|ELOOP)/

const reasonOf = (code: string): Reason | null => {
  if (SqliteFailure.fromCode(code).kind === "busy") return "locked"
  if (code.startsWith("SQLITE_NOTADB")) return "not-a-database"
  if (code.startsWith("SQLITE_CORRUPT")) return "damaged"
  return noAccess.test(code) ? "no-access" : null
}

const isLocked = (error: unknown): boolean => error instanceof StorageUnusable && error.reason === "locked"

/** Tries again while another process holds the lock, for at most `millis` milliseconds. */
export const retryWhileLocked =
  (millis: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(busyScheduleUpTo(millis), (schedule) => Effect.retry(effect, { schedule, while: isLocked }))

/** The error for anything that was thrown while the database at `path` was opened. */
export const fromUnknown =
  (path: string) =>
  (thrown: unknown): StorageFailed | StorageUnusable => {
    if (thrown instanceof StorageUnusable || thrown instanceof StorageFailed) return thrown
    const code = codeOf(thrown)
    const reason = reasonOf(code)
    return reason === null
      ? new StorageFailed({ operation: "open the database", code })
      : new StorageUnusable({ path, reason, detail: code })
  }
