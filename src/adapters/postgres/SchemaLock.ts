/**
 * Keeps engines from writing into a schema that a newer version has migrated. Each transaction that writes first reads the
 * version, and so shares the server's lock on the table of migrations until it ends. A migration locks that table for
 * itself alone: it waits for the transactions that have begun, and those after it wait for it and then read its version.
 *
 * Each engine also holds a lock for as long as it works, so that a migration can tell whether there are any.
 */
import { Schema } from "effect"
import { StorageUnusable } from "../../domain/SkeinError.js"

/** A statement with its parameter. */
type Statement = readonly [text: string, lock: string]

const engines = (schema: string) => `skein engines ${schema}`

/** Lets one process at a time migrate the schema, until its transaction ends. */
export const migrating = (schema: string): Statement => [
  "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
  `skein ${schema}`
]

/** Keeps all others from writing until the transaction ends. */
export const alone = "LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE"

/** Says that an engine works on the schema, until the connection ends. */
export const working = (schema: string): Statement => [
  "SELECT pg_advisory_lock_shared(hashtextextended($1, 0))",
  engines(schema)
]

/** Returns as `found` whether no engine works on the schema. None begins to until the transaction ends. */
export const isUnused = (schema: string): Statement => [
  "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS found",
  engines(schema)
]

/** The version that the schema has. In a transaction, no newer version migrates it until the transaction ends. */
export const readVersion = "SELECT max(version) AS version FROM migrations"

const decode = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ version: Schema.NullOr(Schema.Number) })))

/** Returns the version that was read; 0 for a schema without tables. */
export const versionOf = (rows: ReadonlyArray<unknown>): number => decode(rows)[0].version ?? 0

/** Why a schema of a version that is newer than this one cannot be used. `where` is for messages. */
export const newer = (where: string, version: number): StorageUnusable =>
  new StorageUnusable({ path: where, reason: "newer-version", detail: `${version}` })
