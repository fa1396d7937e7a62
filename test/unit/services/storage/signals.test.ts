import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Quiescence } from "skein/testing"
import { create, refused, s1, s2 } from "../../../../src/adapters/testing/storage/fixture.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import { folder, storageIn } from "./disk.js"

const drivers = {
  "in memory": MemoryStorage.layer,
  "on SQLite": Layer.unwrapScoped(Effect.map(folder, storageIn))
}

describe("signals of one process", () => {
  for (const [name, driver] of Object.entries(drivers)) {
    it.scopedLive(`${name}: a change wakes nobody who watches another session`, () =>
      Effect.gen(function* () {
        const storage = yield* Storage
        yield* create()
        yield* create({ id: s2 })
        const watch = yield* (yield* EventSignals.EventSignals).watch(s1)
        const waiting = yield* Effect.fork(watch.next)
        yield* storage.rename(s2, "x")
        yield* refused(storage.rename(s1, ""))
        yield* Quiescence.idle
        expect(waiting.unsafePoll()).toBe(null)
        yield* storage.rename(s1, "x")
        yield* waiting.await
      }).pipe(Effect.provide(Layer.provideMerge(driver, EventSignals.layer)), Effect.provide(Quiescence.layer))
    )
  }
})
