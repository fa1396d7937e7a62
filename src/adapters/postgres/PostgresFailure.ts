/**
 * What PostgreSQL's codes and the end of a connection mean for the port. A failure keeps its code but never a text,
 * because the server's texts quote statements and values.
 */
import pg from "pg"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { type FailureKind, SqlFailure } from "../../services/storage/sql/Database.js"
import { codeOf } from "../ErrorCode.js"

/** The code of a connection that ended without one. */
const lost = "CONNECTION_LOST"

/** The server has ended the connection: on command, by shutting down, or after a timeout. */
const ended = /^(?:08|25P0[34]$|57P0)/

/** The server is a standby, or accepts no writes for another reason. */
export const readOnly = "25006"

/**
 * A lock was not available; the server ended this transaction to resolve a deadlock; another transaction's changes
 * conflict.
 */
const busy = /^(?:55P03|40P01|40001)$/

const kinds: ReadonlyArray<readonly [prefix: RegExp, FailureKind]> = [
  [busy, "busy"],
  [/^23/, "constraint"],
  [/^53100$/, "full"],
  [ended, "spoilt"]
]

/** Errors that the driver reports without a code. */
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

/** Returns the failure for a statement's error, or for what was thrown when its connection was lost. */
export const fromUnknown = (thrown: unknown): SqlFailure => {
  if (thrown instanceof SqlFailure) return thrown
  if (!(thrown instanceof pg.DatabaseError)) {
    return new SqlFailure({ code: lossOf(thrown), kind: "spoilt" })
  }
  const code = thrown.code ?? "UNKNOWN"
  return new SqlFailure({ code, kind: kinds.find(([pattern]) => pattern.test(code))?.[1] ?? "other" })
}

const passing = [ended, busy, new RegExp(`^(?:${lost}|ECONNRESET|EPIPE)$`)]

/** Whether a connection was ended, by the server or on the way, or others were in the way. Another try may work. */
export const isPassing = (error: StorageFailed | StorageUnusable): boolean =>
  error._tag === "StorageFailed" && passing.some((pattern) => pattern.test(error.code))

/**
 * Only a different setting will help: a wrong name or password, a missing database, missing rights, a server that is
 * not trusted.
 */
const noAccess = /^(?:28|3D000|3F000|42501|INVALID_URL|NO_PASSWORD|NO_TLS|ERR_TLS|UNABLE_TO_|.*_CERT\b|CERT_)/

/** Returns the error for anything that was thrown while a connection was opened. `where` contains no password. */
export const whileOpening = (where: string, thrown: unknown): StorageFailed | StorageUnusable => {
  const code = codeOf(thrown) === "ERR_INVALID_URL" ? "INVALID_URL" : fromUnknown(thrown).code
  return noAccess.test(code)
    ? new StorageUnusable({ path: where, reason: "no-access", detail: code })
    : new StorageFailed({ operation: `connect to ${where}`, code })
}
