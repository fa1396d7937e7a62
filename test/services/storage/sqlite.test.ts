import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as EngineConfig from "../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../src/services/EventSignals.js"
import { Storage, StorageReader } from "../../../src/services/Storage.js"
import { folder, storage, storageIn } from "./disk.js"
import { storageSuite } from "./suite.js"
import {
  admission,
  allow,
  createAndStart,
  openBatch,
  otherOwner,
  owner,
  q1,
  question,
  refused,
  result,
  s1,
  seen,
  seq
} from "./suite/fixture.js"

// Waiting for the disk at each commit proves nothing here: no test cuts the power.
const config = EngineConfig.layer({ synchronous: "NORMAL" })

storageSuite("SqlStorage on SQLite", storage.pipe(Layer.provideMerge(EventSignals.layer), Layer.provide(config)))

/** One engine's storage in a folder, until its scope closes. */
const engineIn = (directory: string) =>
  Layer.build(storageIn(directory).pipe(Layer.provideMerge(EventSignals.layer), Layer.provide(config)))

/** Everything that readers see of the session. */
const shown = Effect.gen(function* () {
  const reader = yield* StorageReader
  return yield* Effect.all({
    session: reader.session(s1),
    entries: reader.entries({ sessionId: s1, after: 0, limit: 100 }),
    events: reader.events({ sessionId: s1, after: 0, limit: 100 }),
    activity: reader.activity(s1),
    openBatch: reader.openBatch(s1),
    questions: reader.questions(null),
    granted: reader.granted(s1)
  })
})

const half = Effect.gen(function* () {
  const storage = yield* Storage
  const { lease } = yield* createAndStart({ idempotencyKey: "k" })
  yield* openBatch(lease, "c1", "c2", "c3")
  yield* storage.startCall(lease, seq(3))
  yield* storage.completeCall(lease, seq(4), result("c2"))
  yield* storage.ask(lease, question(q1, 5, "c3"))
  return lease
})

describe("SqlStorage on one file", () => {
  it.scopedLive("P2 seen means stored: what was answered is there when the file is opened again", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const before = yield* Effect.scoped(
        Effect.flatMap(engineIn(directory), (engine) => Effect.provide(Effect.zipRight(half, shown), engine))
      )
      const engine = yield* engineIn(directory)
      expect(yield* Effect.provide(shown, engine)).toEqual(before)
    })
  )

  it.scopedLive("P2 seen means stored: another engine sees it as soon as it is answered", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const [first, second] = yield* Effect.all([engineIn(directory), engineIn(directory)])
      const lease = yield* Effect.provide(half, first)
      expect(yield* Effect.provide(shown, second)).toEqual(yield* Effect.provide(shown, first))
      yield* Context.get(second, Storage).answer(q1, allow)
      expect((yield* Context.get(first, StorageReader).question(q1)).answer).toEqual(allow)
      yield* Context.get(first, Storage).completeCall(lease, seq(3), result("c1"))
      expect(yield* Effect.provide(shown, second)).toEqual(yield* Effect.provide(shown, first))
    })
  )

  it.scopedLive("P9 many processes: of two engines one starts, and fences the other off", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const engines = yield* Effect.all([engineIn(directory), engineIn(directory)])
      const [first, second] = engines
      const { lease } = yield* Effect.provide(createAndStart(), first)
      const admitted = yield* Context.get(second, Storage).admit(admission({ owner: otherOwner }))
      expect(admitted._tag).toBe("Busy")
      const taken = yield* Effect.forEach(
        engines,
        (engine) => Context.get(engine, Storage).takeOver(seen(lease), owner),
        {
          concurrency: "unbounded"
        }
      )
      expect(taken.map(({ _tag }) => _tag).toSorted()).toEqual(["Ended", "Lost"])
      expect(yield* refused(Context.get(first, Storage).startCall(lease, seq(3)))).toMatchObject({ _tag: "LeaseLost" })
    })
  )
})
