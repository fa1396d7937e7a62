import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as Query from "../../../../src/services/storage/sql/Query.js"
import * as SqlStorage from "../../../../src/services/storage/sql/SqlStorage.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import * as WriteLane from "../../../../src/services/storage/sql/lane/WriteLane.js"
import { userText } from "../../../../src/domain/Message.js"
import { fail, Faults, layer as faulty, layerFaults } from "../../services/storage/sql/lane/FaultyDatabase.js"
import { folder } from "../../services/storage/disk.js"
import {
  append,
  storeResult,
  create,
  createAndStart,
  openBatch,
  refused,
  result,
  s1,
  seq,
  session,
  start
} from "../../../../src/adapters/testing/storage/fixture.js"

/** A storage over a database that can be made to fail. */
const storage = Layer.unwrapScoped(
  Effect.map(folder, (directory) =>
    SqlStorage.layer.pipe(
      Layer.provide(Query.layer),
      Layer.provide(WriteLane.layer),
      Layer.provide(faulty),
      Layer.provideMerge(layerFaults),
      Layer.provide(SqliteDatabase.layer),
      Layer.provide([
        EventSignals.layer,
        Identity.layerIds,
        EngineConfig.layer({ synchronous: "NORMAL" }),
        Layer.succeed(DataDirectory, directory)
      ])
    )
  )
).pipe(Layer.fresh)

/** Makes the next COMMIT fail, although it is stored, or because it is not. */
const nextCommitFails = (isStored: boolean) =>
  Effect.map(Faults, (faults) => {
    faults.onRun = (statement, proceed) => {
      if (statement !== "COMMIT") return proceed()
      faults.onRun = (_, proceed) => proceed()
      if (isStored) proceed()
      return fail("SQLITE_IOERR_FSYNC")
    }
  })

type Stored<A, E> = Effect.Effect<A, E, Storage | StorageReader>

/** Tests both ways in which the COMMIT of `act` can fail; `shows` returns whether the change of `act` is stored. */
const decided = <E, F extends { readonly _tag: string }, G>(
  name: string,
  {
    act,
    prepare,
    shows
  }: { readonly prepare: Stored<unknown, E>; readonly act: Stored<unknown, F>; readonly shows: Stored<boolean, G> }
) => {
  it.scopedLive(`P2 ${name} that is stored after all is a success`, () =>
    Effect.gen(function* () {
      yield* prepare
      yield* nextCommitFails(true)
      yield* act
      expect(yield* shows).toBe(true)
    }).pipe(Effect.provide(storage))
  )

  it.scopedLive(`P2 ${name} that is not stored is a failure, and can be tried again`, () =>
    Effect.gen(function* () {
      yield* prepare
      yield* nextCommitFails(false)
      expect(yield* refused(act)).toMatchObject({ _tag: "StorageFailed", code: "SQLITE_IOERR_FSYNC" })
      expect(yield* Effect.orElseSucceed(shows, () => false)).toBe(false)
      yield* act
      expect(yield* shows).toBe(true)
    }).pipe(Effect.provide(storage))
  )
}

describe("a COMMIT that fails", () => {
  decided("a session's creation", { prepare: Effect.void, act: create(), shows: Effect.as(session(), true) })

  decided("an appended message", {
    prepare: create(),
    act: append(s1, [userText("Hello")]),
    shows: Effect.map(session(), ({ head }) => head === 1)
  })

  decided("a rename", {
    prepare: create(),
    act: Effect.flatMap(Storage, (storage) => storage.patch(s1, { title: "New" })),
    shows: Effect.map(session(), ({ title }) => title === "New")
  })

  decided("a change without an event", {
    prepare: create(),
    act: Effect.flatMap(Storage, (storage) => storage.patch(s1, { metadata: { a: 1 } })),
    shows: Effect.map(session(), ({ metadata }) => "a" in metadata)
  })

  decided("a run with its message", {
    prepare: create(),
    act: start(),
    shows: Effect.flatMap(StorageReader, (reader) =>
      Effect.map(reader.activity(s1), ({ holder }) => holder._tag === "Some")
    )
  })

  it.scopedLive("P2 a result that is stored after all is a success, and one that is not can be stored again", () =>
    Effect.gen(function* () {
      const { lease } = yield* createAndStart()
      yield* openBatch(lease, "c1", "c2")
      yield* nextCommitFails(true)
      yield* storeResult(lease, seq(4), result("c2"))
      expect((yield* session()).head).toBe(2)
      yield* nextCommitFails(false)
      expect(yield* refused(storeResult(lease, seq(3), result("c1")))).toMatchObject({ _tag: "StorageFailed" })
      yield* storeResult(lease, seq(3), result("c1"))
      expect((yield* session()).head).toBe(4)
    }).pipe(Effect.provide(storage))
  )
})
