/**
 * Keeps engines from writing into a schema that a newer version has migrated. Each transaction that writes shares the
 * lock of the schema until it ends, and reads the version once it has the lock. A migration holds the lock alone: it waits
 * for the transactions that have begun, and those after it see its version.
 *
 * Each engine also holds a lock for as long as it works, so that a migration can tell whether there are any.
 */
import { Schema } from "effect"
import { StorageUnusable } from "../../domain/SkeinError.js"

/** A statement with its parameter. */
type Statement = readonly [text: string, lock: string]

const nameOf = (schema: string) => `skein ${schema}`
const engines = (schema: string) => `skein engines ${schema}`

/** Held until the transaction ends. */
export const shared = (schema: string): Statement => [
  "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
  nameOf(schema)
]

/** The same, with nobody else. */
export const alone = (schema: string): Statement => [
  "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
  nameOf(schema)
]

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

/** The version that the schema has. Read it in a statement of its own: one that waits for a lock sees what was before. */
export const readVersion = "SELECT max(version) AS version FROM migrations"

const decode = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ version: Schema.NullOr(Schema.Number) })))

/** Returns the version that was read; 0 for a schema without tables. */
export const versionOf = (rows: ReadonlyArray<unknown>): number => decode(rows)[0].version ?? 0

/** Why a schema of a version that is newer than this one cannot be used. `where` is for messages. */
export const newer = (where: string, version: number): StorageUnusable =>
  new StorageUnusable({ path: where, reason: "newer-version", detail: `${version}` })
