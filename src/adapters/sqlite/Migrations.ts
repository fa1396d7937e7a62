/**
 * Brings a database to the newest schema: every step that it lacks in one transaction together with the marks that say
 * what the file is, so that a crash leaves it as it was. Several processes may try at once; one of them does it.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { Migrator, SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect } from "effect"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { applicationId } from "./Inspection.js"
import { initial } from "./migrations/Initial.js"
import * as Unusable from "./Unusable.js"

const steps = { "1_initial": initial }

export const newest = Object.keys(steps).length

/** Fails as locked when another process writes: then nothing was done. */
export const migrate = (path: string): Effect.Effect<void, StorageUnusable | StorageFailed> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, disableWAL: true })
    const connection = yield* client.reserve
    const run = (statement: string) => connection.executeUnprepared(statement, [], undefined)
    yield* run("PRAGMA busy_timeout = 0")
    yield* run("PRAGMA synchronous = FULL")
    yield* run("BEGIN IMMEDIATE")
    yield* Migrator.make({})({ loader: Migrator.fromRecord(steps), table: "migrations" }).pipe(
      Effect.provideService(SqlClient.SqlClient, client),
      Effect.provideService(SqlClient.TransactionConnection, [connection, 0])
    )
    yield* run(`PRAGMA application_id = ${applicationId}`)
    yield* run(`PRAGMA user_version = ${newest}`)
    yield* run("COMMIT")
  }).pipe(
    Effect.scoped,
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    Effect.catchAllCause((cause) => Effect.fail(Unusable.fromCause(path)(cause)))
  )
