/**
 * What PostgreSQL's codes mean for the port, and a connection's end: a failure keeps its code, never a text, as those of
 * the server quote statements and values.
 */
import pg from "pg"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { type FailureKind, SqlFailure } from "../../services/storage/sql/Database.js"
import { codeOf } from "../ErrorCode.js"

/** The code of a connection that ended without one. */
const lost = "CONNECTION_LOST"

const kinds: ReadonlyArray<readonly [prefix: RegExp, FailureKind]> = [
  // A lock was not to be had; the server chose this one of a deadlock; changes of another transaction are in the way.
  [/^(?:55P03|40P01|40001)$/, "busy"],
  [/^23/, "constraint"],
  [/^53100$/, "full"],
  // The server has ended the connection: by order, by its own end, by a time-out.
  [/^(?:08|57P0|25P0[34]$)/, "spoilt"]
]

/** What the driver says in words only. */
const said: ReadonlyArray<readonly [message: RegExp, code: string]> = [
  [/password must be a/i, "NO_PASSWORD"],
  [/server does not support SSL/, "NO_TLS"],
  [/^timeout expired$/, "ETIMEDOUT"]
]

const lossOf = (thrown: unknown): string => {
  const code = codeOf(thrown)
  if (/^[A-Z][A-Z0-9_]+$/.test(code)) return code
  const message = thrown instanceof Error ? thrown.message : ""
  return said.find(([pattern]) => pattern.test(message))?.[1] ?? lost
}

/** What a statement was answered with, or thrown when its connection was lost. */
export const fromUnknown = (thrown: unknown): SqlFailure => {
  if (thrown instanceof SqlFailure) return thrown
  if (!(thrown instanceof pg.DatabaseError)) {
    return new SqlFailure({ code: lossOf(thrown), kind: "spoilt" })
  }
  const code = thrown.code ?? "UNKNOWN"
  return new SqlFailure({ code, kind: kinds.find(([pattern]) => pattern.test(code))?.[1] ?? "other" })
}

/** Whether a connection that there was has ended, by the server or on the way: another may be had. */
export const isOfEnd = (error: StorageFailed | StorageUnusable): boolean =>
  error._tag === "StorageFailed" && /^(?:08|57P0|25P0[34]|CONNECTION_LOST$|ECONNRESET$|EPIPE$)/.test(error.code)

/**
 * Nothing but another setting will help: a wrong name or password, no such database, no right to it, a server that is not
 * trusted.
 */
const noAccess = /^(?:28|3D000|3F000|42501|INVALID_URL|NO_PASSWORD|NO_TLS|ERR_TLS|UNABLE_TO_|.*_CERT\b|CERT_)/

/** The error for anything that was thrown while a connection was opened. `where` has no password in it. */
export const whileOpening = (where: string, thrown: unknown): StorageFailed | StorageUnusable => {
  const code = codeOf(thrown) === "ERR_INVALID_URL" ? "INVALID_URL" : fromUnknown(thrown).code
  return noAccess.test(code)
    ? new StorageUnusable({ path: where, reason: "no-access", detail: code })
    : new StorageFailed({ operation: `connect to ${where}`, code })
}
