/**
 * Checks the rows in a schema of a PostgreSQL database, and repairs them, by the same checks as for SQLite. Engines may
 * keep working meanwhile. Files of assets are not checked.
 *
 * - A check changes nothing and locks nothing. Each portion of it is a read-only transaction.
 * - A repair is one transaction for each session, under the lock that engines take. A session with a running run is left
 *   alone unless the run's engine is proven dead.
 */
import { Effect, Option, Redacted, Schema } from "effect"
import { EngineId } from "../../domain/Lease.js"
import { type InvalidInput, StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import { Engines } from "../../services/Engines.js"
import * as Database from "../../services/storage/sql/doctor/Database.js"
import { type Finding, make, type Outcome, type SessionKey } from "../../services/storage/sql/doctor/Finding.js"
import * as RowDoctor from "../../services/storage/sql/doctor/RowDoctor.js"
import * as RowRepair from "../../services/storage/sql/doctor/RowRepair.js"
import { sqlName } from "../../services/storage/sql/Table.js"
import { tables } from "../../services/storage/sql/Tables.js"
import * as Connection from "./Connection.js"
import * as DatabaseUrl from "./DatabaseUrl.js"
import { toPostgres } from "./Dialect.js"
import * as PostgresQuery from "./PostgresQuery.js"
import * as PostgresSettings from "./PostgresSettings.js"
import { steps } from "./Schema.js"
import * as SchemaLock from "./SchemaLock.js"

export interface Options {
  readonly url: Redacted.Redacted
  /** The schema with the tables. Defaults to "skein". */
  readonly schema?: string | undefined
}

/** How long a repair waits for an engine's write, in milliseconds. */
const lockMillis = 10_000

const decodeEngine = Schema.decodeUnknownOption(Schema.parseJson(EngineId))

/** Opens the database for a check or a repair. It is closed with the scope. */
const open = (options: Options, isRepair: boolean) =>
  Effect.gen(function* () {
    const { schema, url } = yield* PostgresSettings.checked(options)
    const engines = yield* Engines
    const applicationName = isRepair ? "skein repairs" : "skein looks"
    const settings = { url, schema, applicationName, lockMillis, isLane: isRepair, scans: true, isExact: true }
    const connection = yield* Connection.scoped({ ...settings, mayLag: !isRepair })
    const query = PostgresQuery.make({
      query: (text, parameters, asArrays) => Connection.ask(connection, text, parameters, asArrays)
    })
    const run: Database.Database["run"] = (text, ...parameters) =>
      Effect.mapError(
        Connection.ask(connection, toPostgres(text), parameters),
        ({ code }) => new StorageFailed({ operation: "look at the database", code })
      )
    const within = Database.transactions(run)
    /** Keeps engines from a session. Fails with `inUse` if one of them is working on it. */
    const hold = ({ ordinal }: SessionKey) =>
      Effect.gen(function* () {
        yield* run("SELECT 1 FROM session_rows WHERE ordinal = ? FOR UPDATE", ordinal)
        const running = "SELECT engine FROM runs WHERE session = ? AND state = 'running' AND engine IS NOT NULL"
        for (const { engine } of yield* query<{ readonly engine: string }>("read the run", running, ordinal)) {
          const known = decodeEngine(engine)
          if (Option.isNone(known) || (yield* engines.liveness(known.value)) === "dead") continue
          return yield* new StorageFailed({ operation: "repair the session", code: Database.inUse })
        }
      })
    /** Keeps newer versions from migrating the schema. Fails if one has. */
    const keep = Effect.gen(function* () {
      const version = SchemaLock.versionOf(yield* query<object>("read the schema's version", SchemaLock.readVersion))
      if (version <= steps.length) return
      return yield* new StorageFailed({ operation: "repair the session", code: "NEWER_VERSION" })
    })
    const database: Database.Database = {
      path: DatabaseUrl.where(Redacted.value(url)),
      query,
      run,
      snapshot: within("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
      repair: (session) =>
        within(
          "BEGIN",
          Effect.zipRight(
            keep,
            session === null ? run("LOCK TABLE session_rows IN SHARE ROW EXCLUSIVE MODE") : hold(session)
          )
        ),
      files: null,
      ownTables: []
    }
    return database
  })

interface Column {
  readonly table: string
  readonly column: string
}

/** The finding about a schema that is not of this version; null when it is. */
const checkSchema = ({ path, query }: Database.Database): Effect.Effect<Finding | null, StorageFailed> =>
  Effect.gen(function* () {
    const columns = yield* query<Column>(
      "read the schema",
      `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
       WHERE table_schema = current_schema()`
    )
    const stored = new Set(columns.map(({ column, table }) => `${table}.${column}`))
    if (!stored.has("migrations.version")) return make("database-new", { path })
    const [{ version } = { version: 0 }] = yield* query<{ readonly version: number }>(
      "read the schema's version",
      "SELECT max(version) AS version FROM migrations"
    )
    if (version > steps.length) return make("unusable", { path, reason: "newer-version", detail: `${version}` })
    if (version < steps.length) return make("older-version", { path, version, newest: steps.length })
    const names = tables
      .flatMap(({ columns, name }) => Object.keys(columns).map((column) => `${name}.${sqlName(column)}`))
      .filter((name) => !stored.has(name))
    return names.length === 0 ? null : make("columns-missing", { path, names })
  })

const treat = (options: Options, aside: Database.Aside | null) =>
  Effect.gen(function* () {
    const database = yield* open(options, aside !== null)
    const finding = yield* checkSchema(database)
    if (finding !== null) return [RowRepair.found(finding)]
    return [...(yield* RowDoctor.shared(database, aside)), ...(yield* RowDoctor.sessions(database, aside))]
  }).pipe(Effect.scoped)

type Outcomes = Effect.Effect<ReadonlyArray<Outcome>, InvalidInput | StorageUnusable | StorageFailed, Engines>

/** Returns everything that is wrong, and whether it can be repaired. Changes nothing. */
export const look = (options: Options): Outcomes => Effect.withSpan(treat(options, null), "PostgresDoctor.look")

/** Repairs what it can, and returns what was done and what is still wrong. The original rows are kept in `aside`. */
export const repair = (options: Options, aside: Database.Aside): Outcomes =>
  Effect.withSpan(treat(options, aside), "PostgresDoctor.repair")
