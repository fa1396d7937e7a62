/**
 * Brings a schema to the newest version. All missing steps run in one transaction. When several processes start at the
 * same time, one migrates and the others wait for it. A schema that a newer version has made is left as it is.
 */
import { Effect, Schema } from "effect"
import { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import * as Connection from "./Connection.js"
import { type Step, steps } from "./Schema.js"

const operation = "migrate the database"

const decodeEncoding = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ encoding: Schema.String })))
const decodeFound = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ found: Schema.Boolean })))
const decodeVersion = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ version: Schema.NullOr(Schema.Number) })))

/** The lock that a migration holds until its transaction ends. */
const lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

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
 * Fails without any change when the schema is newer or the database cannot hold every text. `all` defaults to the steps
 * of this version.
 */
export const migrate = (
  { connection, schema, where }: Options,
  all: ReadonlyArray<Step> = steps
): Effect.Effect<void, StorageUnusable | StorageFailed> => {
  const send = (text: string, ...parameters: ReadonlyArray<string | number>) =>
    Effect.mapError(Connection.ask(connection, text, parameters), ({ code }) => new StorageFailed({ operation, code }))
  const isThere = (find: "to_regnamespace" | "to_regclass", name: string) =>
    Effect.map(send(`SELECT ${find}($1) IS NOT NULL AS found`, name), ({ rows }) => decodeFound(rows)[0].found)
  return Effect.gen(function* () {
    yield* send("BEGIN")
    yield* send(lock, `skein ${schema}`)
    const { rows } = yield* send("SELECT getdatabaseencoding() AS encoding")
    const [{ encoding }] = decodeEncoding(rows)
    if (encoding !== "UTF8") {
      return yield* new StorageUnusable({ path: where, reason: "not-utf8", detail: encoding })
    }
    // IF NOT EXISTS asks for the right to create before it looks, which the owner of an existing schema may not have.
    if (!(yield* isThere("to_regnamespace", Connection.quoted(schema)))) {
      yield* send(`CREATE SCHEMA ${Connection.quoted(schema)}`)
    }
    if (!(yield* isThere("to_regclass", "migrations"))) yield* send(table)
    const [{ version }] = decodeVersion((yield* send("SELECT max(version) AS version FROM migrations")).rows)
    const done = version ?? 0
    if (done > all.length) {
      return yield* new StorageUnusable({ path: where, reason: "newer-version", detail: `${done}` })
    }
    for (const [index, { name, statements }] of all.slice(done).entries()) {
      // The statements are sent in order, without waiting for answers in between.
      yield* Effect.forEach(statements, (statement) => send(statement), { concurrency: "unbounded", discard: true })
      yield* send("INSERT INTO migrations (version, name) VALUES ($1, $2)", done + index + 1, name)
    }
    yield* send("COMMIT")
  }).pipe(Effect.tapErrorCause(() => Effect.ignore(send("ROLLBACK"))))
}
