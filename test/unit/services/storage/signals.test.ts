import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, TestClock } from "effect"
import { Quiescence } from "skein/testing"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import * as SqliteFailure from "../../../../src/adapters/sqlite/SqliteFailure.js"
import * as SqliteStorage from "../../../../src/adapters/sqlite/SqliteStorage.js"
import { create, refused, s1, s2 } from "../../../../src/adapters/testing/storage/fixture.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import { Database, type Writer } from "../../../../src/services/storage/sql/Database.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import * as SequentialIds from "../../../support/SequentialIds.js"
import { folder, storageIn } from "./disk.js"

const drivers = {
  "in memory": MemoryStorage.layer,
  "on SQLite": Layer.unwrapScoped(Effect.map(folder, storageIn))
}

describe("signals of one process", () => {
  for (const [name, driver] of Object.entries(drivers)) {
    it.scopedLive(`${name}: a change wakes no watcher of another session`, () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        yield* create()
        yield* create({ id: s2 })
        const watch = yield* (yield* EventSignals.EventSignals).watch(s1)
        const waiting = yield* Effect.fork(watch.next)
        yield* storage.patch(s2, { title: "x" })
        yield* refused(storage.patch(s1, { title: "" }))
        yield* Quiescence.idle
        expect(waiting.unsafePoll()).toBe(null)
        yield* storage.patch(s1, { title: "x" })
        yield* waiting.await
      }).pipe(Effect.provide(Layer.provideMerge(driver, EventSignals.layer)), Effect.provide(Quiescence.layer))
    )
  }
})

/** The database of a folder, which cannot be asked for other processes' commits while `isBroken` returns true. */
const deafWhile = (isBroken: () => boolean) => {
  const deaf = (writer: Writer): Writer => ({
    ...writer,
    foreignVersion: () => {
      if (isBroken()) throw SqliteFailure.fromCode("SQLITE_IOERR_READ")
      return writer.foreignVersion()
    }
  })
  return Layer.effect(
    Database,
    Effect.map(Database, (sound) => ({ ...sound, writer: Effect.map(sound.writer, deaf) }))
  ).pipe(Layer.provide(SqliteDatabase.layer))
}

it.scoped("P9 P10 checks for other processes' commits go on after one has failed", () =>
  Effect.gen(function* () {
    const directory = yield* folder
    let isBroken = false
    const context = yield* Layer.build(
      SqliteStorage.layerOver(deafWhile(() => isBroken)).pipe(
        Layer.provide([SequentialIds.layer, Layer.succeed(DataDirectory, directory)]),
        Layer.provide(Quiescence.layer)
      )
    )
    const other = yield* Layer.build(Layer.provide(storageIn(directory), EventSignals.layer))
    const rename = (title: string) => Effect.provide(Context.get(other, Storage).patch(s1, { title }), other)
    yield* Effect.provide(create(), other)
    const watch = yield* Context.get(context, EventSignals.EventSignals).watch(s1)
    const look = Effect.zipRight(TestClock.adjust("20 millis"), Quiescence.idle)
    yield* look
    yield* watch.next
    isBroken = true
    yield* rename("while it fails")
    yield* Effect.repeatN(look, 2)
    isBroken = false
    const waiting = yield* Effect.fork(watch.next)
    yield* Quiescence.idle
    expect(waiting.unsafePoll()).toBeNull()
    yield* rename("after")
    yield* look
    expect(waiting.unsafePoll()).not.toBeNull()
  }).pipe(Effect.provide(Quiescence.layer))
)
