/**
 * Storage in PostgreSQL, for any number of processes on any number of hosts: the lanes that write, the connections that
 * read, and the notifications between processes.
 */
import { Effect, Layer, Redacted } from "effect"
import { StorageFailed, type StorageUnusable } from "../../domain/SkeinError.js"
import { silenceMillis } from "../../domain/Liveness.js"
import { EngineConfig } from "../../services/EngineConfig.js"
import type { Ids } from "../../services/Ids.js"
import * as EventSignals from "../../services/storage/EventSignals.js"
import * as Outdated from "../../services/storage/Outdated.js"
import * as Query from "../../services/storage/sql/Query.js"
import * as SqlStorage from "../../services/storage/sql/SqlStorage.js"
import { StorageClock } from "../../services/storage/StorageClock.js"
import type { Storage, StorageReader } from "../../services/storage/Storage.js"
import * as Connection from "./Connection.js"
import * as DatabaseUrl from "./DatabaseUrl.js"
import * as Readers from "./Readers.js"
import * as Migrations from "./Migrations.js"
import * as Notifications from "./Notifications.js"
import * as PostgresFailure from "./PostgresFailure.js"
import * as PostgresLane from "./PostgresLane.js"
import * as PostgresQuery from "./PostgresQuery.js"
import { steps } from "./Schema.js"
import * as SchemaLock from "./SchemaLock.js"
import * as ServerClock from "./ServerClock.js"

export interface Options {
  /** Such as `postgres://user:password@host:5432/database`. */
  readonly url: Redacted.Redacted
  /** The schema that has the tables. It is created when it is missing. */
  readonly schema: string
  /** How many connections write. */
  readonly lanes: number
  /** How many connections read. */
  readonly readers: number
  /** For tests that use their own clock: commits bear the time of this process. Defaults to false. */
  readonly isOwnTime?: boolean
}

/** How long a lane waits for a lock, in milliseconds, before it goes on with other writes and comes back. */
const laneLockMillis = 250

/**
 * How long a migration waits for a lock, in milliseconds, before it lets others write and comes back: somebody who reads
 * for long, such as a dump, must not keep engines from storing anything meanwhile.
 */
const migrationLockMillis = 2_000

/** Asks the server for its time. */
const learn = (connection: Connection.Connection, clock: ServerClock.ServerClock) =>
  Effect.suspend(() => {
    const told = clock.ask()
    return Effect.map(Connection.ask(connection, `SELECT ${ServerClock.time}`), ({ rows }) => told(rows))
  })

const versionIn = (connection: Connection.Connection) =>
  Effect.map(Connection.ask(connection, SchemaLock.readVersion), ({ rows }) => SchemaLock.versionOf(rows))

type Stored = Storage | StorageReader | EventSignals.EventSignals

/** Milliseconds that a commit may take after it got its time. A commit that takes longer is announced all the same. */
const disorderMillis = 5_000

const make = ({ isOwnTime = false, lanes, readers, schema, url }: Options) =>
  Effect.gen(function* () {
    const { busyMaxMillis, leaseMillis } = yield* EngineConfig
    const own = yield* Effect.clock
    const clock = (isOwnTime ? ServerClock.same : ServerClock.make)(() => own.unsafeCurrentTimeMillis())
    const where = DatabaseUrl.where(Redacted.value(url))
    const to = { url, schema, lockMillis: busyMaxMillis }
    const begin = Effect.flatMap(
      Connection.scoped({
        ...to,
        applicationName: "skein migrates",
        isLane: true,
        lockMillis: Math.min(busyMaxMillis, migrationLockMillis),
        scans: true
      }),
      (connection) =>
        Effect.zipRight(
          Migrations.migrate({ connection, schema, where }),
          Effect.mapError(
            learn(connection, clock),
            ({ code }) => new StorageFailed({ operation: "connect to the database", code })
          )
        )
    )
    yield* Effect.retry(Effect.scoped(begin), {
      while: PostgresFailure.isPassing,
      schedule: yield* Readers.patience(busyMaxMillis)
    })
    const { found } = yield* Outdated.Outdated
    const look = (connection: Connection.Connection) =>
      Effect.zipWith(learn(connection, clock), versionIn(connection), (_, version) => {
        if (version > steps.length) found(SchemaLock.newer(where, version))
      })
    const { notify } = yield* Notifications.make({ url, schema, look })
    const reading = yield* Readers.make({
      ...to,
      applicationName: "skein reads",
      isLane: false,
      count: readers,
      busyMaxMillis
    })
    // A stopped engine has lost its locks by the time it must have stopped its runs, before others take them over.
    const lane = PostgresLane.layer({
      lanes,
      clock,
      connect: Connection.open({
        ...to,
        applicationName: "skein writes",
        isLane: true,
        lockMillis: laneLockMillis,
        idleMillis: silenceMillis(leaseMillis)
      }),
      where,
      announce: notify
    })
    const time = Layer.succeed(StorageClock, { ahead: clock.ahead, disorderMillis })
    return SqlStorage.layer.pipe(
      Layer.provide([lane, Layer.succeed(Query.Queries, PostgresQuery.make(reading))]),
      Layer.provideMerge(time)
    )
  })

export const layer = (options: Options): Layer.Layer<Stored, StorageUnusable | StorageFailed, Ids> =>
  Layer.unwrapScoped(make(options)).pipe(Layer.provideMerge(Layer.merge(EventSignals.layer, Outdated.layer)))
