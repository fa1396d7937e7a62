/**
 * Brings a schema to the newest version. All missing steps run in one transaction. When several processes start at the
 * same time, one migrates and the others wait for it. Engines of the older version store nothing from then on. A schema
 * that is of the newest version, or that a newer one has made, is left as it is, and is locked for nobody.
 */
import { Effect, Schema } from "effect"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { Upgrading } from "../../services/storage/Upgrading.js"
import * as Connection from "./Connection.js"
import * as Notifications from "./Notifications.js"
import { type Step, steps } from "./Schema.js"
import * as SchemaLock from "./SchemaLock.js"

const operation = "migrate the database"

const decodeEncoding = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ encoding: Schema.String })))
const decodeFound = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ found: Schema.Boolean })))

const table = `CREATE TABLE migrations (
  version BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL DEFAULT now()
)`

interface Options {
  /** A connection that may write and looks up names in the schema. */
  readonly connection: Connection.Connection
  readonly schema: string
  /** Where the database is, for messages. */
  readonly where: string
}

/**
 * Fails without any change when the schema is newer, when the database cannot hold every text, or with `in-use` when it
 * would end engines that it must not end. `all` defaults to the steps of this version.
 */
export const migrate = (
  { connection, schema, where }: Options,
  all: ReadonlyArray<Step> = steps
): Effect.Effect<void, StorageUnusable | StorageFailed> => {
  const send = (text: string, ...parameters: ReadonlyArray<string | number>) =>
    Effect.mapError(Connection.ask(connection, text, parameters), ({ code }) => new StorageFailed({ operation, code }))
  const isThere = (find: "to_regnamespace" | "to_regclass", name: string) =>
    Effect.map(send(`SELECT ${find}($1) IS NOT NULL AS found`, name), ({ rows }) => decodeFound(rows)[0].found)
  /** The schema's version; null when it has no tables. */
  const version = Effect.gen(function* () {
    if (!(yield* isThere("to_regclass", "migrations"))) return null
    const version = SchemaLock.versionOf((yield* send(SchemaLock.readVersion)).rows)
    return version > all.length ? yield* SchemaLock.newer(where, version) : version
  })
  const upgrade = Effect.fnUntraced(function* (done: number) {
    const { endsOthers } = yield* Upgrading
    const [{ found: isUnused }] = decodeFound((yield* send(...SchemaLock.isUnused(schema))).rows)
    if (!isUnused && !endsOthers) return yield* new StorageUnusable({ path: where, reason: "in-use", detail: "" })
    yield* send(SchemaLock.alone)
    for (const [index, { name, statements }] of all.slice(done).entries()) {
      // The statements are sent in order, without waiting for answers in between.
      yield* Effect.forEach(statements, (statement) => send(statement), { concurrency: "unbounded", discard: true })
      yield* send("INSERT INTO migrations (version, name) VALUES ($1, $2)", done + index + 1, name)
    }
    yield* send(...Notifications.anything(schema))
  })
  const migration = Effect.gen(function* () {
    yield* send("BEGIN")
    yield* send(...SchemaLock.migrating(schema))
    const { rows } = yield* send("SELECT getdatabaseencoding() AS encoding")
    const [{ encoding }] = decodeEncoding(rows)
    if (encoding !== "UTF8") {
      return yield* new StorageUnusable({ path: where, reason: "not-utf8", detail: encoding })
    }
    // IF NOT EXISTS asks for the right to create before it looks, which the owner of an existing schema may not have.
    if (!(yield* isThere("to_regnamespace", Connection.quoted(schema)))) {
      yield* send(`CREATE SCHEMA ${Connection.quoted(schema)}`)
    }
    const done = yield* version
    if (done === null) yield* send(table)
    if (done !== all.length) yield* upgrade(done ?? 0)
    yield* send("COMMIT")
  }).pipe(Effect.tapErrorCause(() => Effect.ignore(send("ROLLBACK"))))
  return Effect.flatMap(version, (found) => (found === all.length ? Effect.void : migration))
}
