/**
 * Shared by the tests of the lane: a lane over a scratch table in a file of its own, and other connections to that
 * file.
 */
import Sqlite from "better-sqlite3"
import { Context, Effect, Either, Layer } from "effect"
import { Quiescence } from "skein/testing"
import * as Identity from "../../../../../../src/adapters/node/Identity.js"
import * as SqliteDatabase from "../../../../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../../../../src/services/DataDirectory.js"
import { Database } from "../../../../../../src/services/storage/sql/Database.js"
import * as EngineConfig from "../../../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../../../src/services/storage/EventSignals.js"
import type { Program, Statement } from "../../../../../../src/services/storage/sql/lane/Program.js"
import type { Transaction } from "../../../../../../src/services/storage/sql/lane/Transaction.js"
import * as WriteLane from "../../../../../../src/services/storage/sql/lane/WriteLane.js"
import { folder } from "../../disk.js"
import * as FaultyDatabase from "./FaultyDatabase.js"

/** The subject of a write that changes no session. */
export const nobody: WriteLane.Subject = { sessions: [] }

/**
 * A lane over a folder, with a scratch table. Its database can be made to fail. Provides what `Quiescence.idle` needs.
 */
export const laneIn = (directory: string, config: EngineConfig.Options = {}) =>
  WriteLane.layer.pipe(
    Layer.provideMerge(FaultyDatabase.layer),
    Layer.provideMerge(FaultyDatabase.layerFaults),
    Layer.provide(SqliteDatabase.layer),
    Layer.provideMerge(EventSignals.layer),
    Layer.provide([
      Identity.layerIds,
      EngineConfig.layer({ synchronous: "NORMAL", ...config }),
      Layer.succeed(DataDirectory, directory)
    ]),
    Layer.fresh,
    Layer.tap((context) =>
      Context.get(context, WriteLane.WriteLane).write("make the scratch table", nobody, function* (tx): Program<void> {
        yield* tx.run("CREATE TABLE IF NOT EXISTS scratch (value TEXT PRIMARY KEY) STRICT")
        // A group that changes no row is not committed.
        yield* tx.run("UPDATE meta SET cursor_floor = cursor_floor")
      })
    ),
    Layer.provide(Quiescence.layer)
  )

/** A lane over a folder of its own. */
export const lane = (config: EngineConfig.Options = {}) =>
  Layer.unwrapScoped(Effect.map(folder, (directory) => laneIn(directory, config)))

export const put = (tx: Transaction, value: string): Statement<number> =>
  tx.run("INSERT INTO scratch (value) VALUES (?)", value)

/** Writes one value. */
export const write = (value: string) =>
  Effect.flatMap(WriteLane.WriteLane, (lane) =>
    lane.write("put", nobody, function* (tx): Program<void> {
      yield* put(tx, value)
    })
  )

/** Writes one value, then refuses. */
export const writeAndRefuse = (value: string) =>
  Effect.flatMap(WriteLane.WriteLane, (lane) =>
    lane.write("put", nobody, function* (tx): Program<never, "refused"> {
      yield* put(tx, value)
      return yield* Either.left("refused" as const)
    })
  )

/** Another connection to the same file, as another process would have it. */
const otherConnection = Effect.flatMap(Database, ({ path }) =>
  Effect.acquireRelease(
    Effect.sync(() => new Sqlite(path, { timeout: 0 })),
    (connection) => Effect.sync(() => connection.close())
  )
)

/** What is stored, as another connection sees it. */
export const stored = Effect.map(
  Effect.scoped(
    Effect.map(otherConnection, (connection) =>
      connection.prepare<[], { readonly value: string }>("SELECT value FROM scratch ORDER BY rowid").all()
    )
  ),
  (rows) => rows.map(({ value }) => value)
)

/** Takes the write lock as another process would. Returns an effect that releases it. */
export const lock = Effect.map(otherConnection, (connection) => {
  connection.exec("BEGIN IMMEDIATE")
  return Effect.sync(() => connection.exec("ROLLBACK"))
})
