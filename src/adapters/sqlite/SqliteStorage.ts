/** The SQL storage with all that it needs besides its database: the write lane, and the signals of other processes. */
import { Layer } from "effect"
import * as EventSignals from "../../services/storage/EventSignals.js"
import * as Outdated from "../../services/storage/Outdated.js"
import type { Database } from "../../services/storage/sql/Database.js"
import * as ForeignCommits from "../../services/storage/sql/ForeignCommits.js"
import * as WriteLane from "../../services/storage/sql/lane/WriteLane.js"
import * as Query from "../../services/storage/sql/Query.js"
import * as SqlStorage from "../../services/storage/sql/SqlStorage.js"
import * as SqliteDatabase from "./SqliteDatabase.js"

/**
 * Storage over any database, such as one that fails on purpose.
 *
 * @internal
 */
export const layerOver = <E, R>(database: Layer.Layer<Database, E, R>) =>
  Layer.merge(Layer.provide(SqlStorage.layer, Query.layer), ForeignCommits.layer).pipe(
    Layer.provideMerge(WriteLane.layer),
    Layer.provide(database),
    Layer.provideMerge(Layer.merge(EventSignals.layer, Outdated.layer))
  )

/** Storage in the SQLite database of a data folder. */
export const layer = layerOver(SqliteDatabase.layer)
