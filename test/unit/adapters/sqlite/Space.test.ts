import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { userText } from "../../../../src/domain/Message.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import { folder, storageIn } from "../../services/storage/disk.js"
import { append, create, s1 } from "../../../../src/adapters/testing/storage/fixture.js"

it.scopedLive("P11 no leftovers: the space of a deleted session is given back to the file system", () =>
  Effect.gen(function* () {
    const directory = yield* folder
    const layer = storageIn(directory).pipe(
      Layer.provide([EventSignals.layer, EngineConfig.layer({ synchronous: "NORMAL" })])
    )
    const bytes = Effect.sync(() => statSync(join(directory, "skein.db")).size)
    yield* create().pipe(Effect.provide(layer))
    const empty = yield* bytes

    yield* append(
      s1,
      Array.from({ length: 1_200 }, () => userText("x".repeat(5_000)))
    ).pipe(Effect.provide(layer))
    expect(yield* bytes).toBeGreaterThan(empty + 6_000_000)

    yield* Effect.gen(function* () {
      const storage = yield* Storage
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      yield* Effect.repeat(storage.purge(s1), { until: (removed) => removed === 0 })
      yield* storage.forget(s1)
    }).pipe(Effect.provide(layer))
    expect(yield* bytes).toBeLessThan(empty + 100_000)
    expect(readdirSync(directory)).toEqual(["skein.db"])
  })
)

it.scopedLive("P11 no leftovers: a log that one large commit made large is cut again", () =>
  Effect.gen(function* () {
    const directory = yield* folder
    const limit = 64 * 1024 * 1024
    const log = () => statSync(join(directory, "skein.db-wal")).size
    yield* Effect.gen(function* () {
      yield* create()
      yield* append(
        s1,
        Array.from({ length: 1_400 }, () => userText("x".repeat(50_000)))
      )
      expect(log()).toBeGreaterThan(limit)
      yield* append(s1, [userText("small")])
      expect(log()).toBeLessThanOrEqual(limit)
    }).pipe(Effect.provide(storageIn(directory)), Effect.provide(EventSignals.layer))
  }).pipe(Effect.provide(EngineConfig.layer({ synchronous: "NORMAL" })))
)
