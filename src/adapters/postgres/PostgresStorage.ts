/**
 * Storage in PostgreSQL, for any number of processes on any number of hosts: the lanes that write, the connections that
 * read, and the notifications between processes.
 */
import { Effect, Layer, Redacted } from "effect"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { EngineConfig } from "../../services/EngineConfig.js"
import type { Ids } from "../../services/Ids.js"
import * as EventSignals from "../../services/storage/EventSignals.js"
import * as Query from "../../services/storage/sql/Query.js"
import * as SqlStorage from "../../services/storage/sql/SqlStorage.js"
import type { Storage, StorageReader } from "../../services/storage/Storage.js"
import * as Connection from "./Connection.js"
import * as Readers from "./Readers.js"
import * as Migrations from "./Migrations.js"
import * as Notifications from "./Notifications.js"
import * as PostgresLane from "./PostgresLane.js"
import * as PostgresQuery from "./PostgresQuery.js"

export interface Options {
  /** Such as `postgres://user:password@host:5432/database`. */
  readonly url: Redacted.Redacted
  /** The schema that has the tables. It is made when it is missing. */
  readonly schema: string
  /** How many connections write. */
  readonly lanes: number
  /** How many connections read. */
  readonly readers: number
}

/** A lane waits so long for a lock, in milliseconds, before it goes on with what others wait for and comes back. */
const laneLockMillis = 250

type Stored = Storage | StorageReader | EventSignals.EventSignals

const make = ({ lanes, readers, schema, url }: Options) =>
  Effect.gen(function* () {
    const { busyMaxMillis } = yield* EngineConfig
    const to = { url, schema, lockMillis: busyMaxMillis }
    yield* Effect.scoped(
      Effect.flatMap(
        Connection.scoped({ ...to, applicationName: "skein migrates", isLane: true, scans: true }),
        (connection) => Migrations.migrate({ connection, schema, where: Connection.where(Redacted.value(url)) })
      )
    )
    const { notify } = yield* Notifications.make({ url, schema })
    const reading = yield* Readers.make({
      ...to,
      applicationName: "skein reads",
      isLane: false,
      count: readers,
      busyMaxMillis
    })
    const lane = PostgresLane.layer({
      lanes,
      connect: Connection.open({ ...to, applicationName: "skein writes", isLane: true, lockMillis: laneLockMillis }),
      announce: notify
    })
    return SqlStorage.layer.pipe(Layer.provide([lane, Layer.succeed(Query.Queries, PostgresQuery.make(reading))]))
  })

export const layer = (options: Options): Layer.Layer<Stored, StorageUnusable | StorageFailed, Ids> =>
  Layer.unwrapScoped(make(options)).pipe(Layer.provideMerge(EventSignals.layer))
