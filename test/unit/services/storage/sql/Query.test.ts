import { expect, it } from "@effect/vitest"
import { Effect, Either, Layer } from "effect"
import * as SqliteDatabase from "../../../../../src/adapters/sqlite/SqliteDatabase.js"
import { refused } from "../../../../../src/adapters/testing/storage/fixture.js"
import { DataDirectory } from "../../../../../src/services/DataDirectory.js"
import { Database } from "../../../../../src/services/storage/sql/Database.js"
import * as Query from "../../../../../src/services/storage/sql/Query.js"
import { folder } from "../disk.js"

const database = Layer.unwrapScoped(
  Effect.map(folder, (directory) => Layer.provide(SqliteDatabase.layer, Layer.succeed(DataDirectory, directory)))
)

const opened = Effect.map(Database, (database) => ({ database, query: Query.make(database.reader, 1_000) }))

it.scopedLive("P6 a read that could not be prepared works as soon as it can be", () =>
  Effect.gen(function* () {
    const { database, query } = yield* opened
    const read = query<{ readonly n: number }>("read the numbers", "SELECT n FROM numbers")
    expect(yield* refused(read)).toEqual({
      _tag: "StorageFailed",
      operation: "read the numbers",
      code: expect.stringMatching(/^SQLITE_ERROR/)
    })
    const writer = yield* database.writer
    writer.run("CREATE TABLE numbers (n INTEGER NOT NULL) STRICT")
    writer.run("INSERT INTO numbers VALUES (7)")
    expect(yield* Effect.either(read)).toEqual(Either.right([{ n: 7 }]))
  }).pipe(Effect.provide(database))
)
