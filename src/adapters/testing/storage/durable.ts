/** The promises of a storage that outlives its layer, and that two engines may have open at the same time. */
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import * as EngineConfig from "../../../services/EngineConfig.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  checked,
  storeResult,
  admission,
  allowOnce,
  createAndStart,
  openBatch,
  secondEngine,
  firstEngine,
  q1,
  question,
  refused,
  result,
  s1,
  takeover,
  seq,
  transcript
} from "./fixture.js"
import type { StorageFolder } from "./StorageFolder.js"
import * as StorageTest from "./StorageTest.js"
import { expect } from "./Vitest.js"

/** Returns everything that readers see of the session. */
const shown = Effect.gen(function* () {
  const reader = yield* StorageReader
  return yield* Effect.all({
    session: reader.session(s1),
    entries: transcript(),
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
  yield* storeResult(lease, seq(4), result("c2"))
  yield* storage.ask(lease, question(q1, 5, "c3"))
  return lease
})

export const durableTests = (
  folder: Effect.Effect<StorageFolder, unknown, Scope.Scope>,
  config: EngineConfig.Options
): ReadonlyArray<StorageTest.StorageTest> => {
  /** One engine's storage, until its scope closes. */
  const open = ({ layer }: StorageFolder) => Layer.build(Layer.fresh(Layer.provide(layer, EngineConfig.layer(config))))

  return [
    StorageTest.make(
      "P2 seen means stored: what was acknowledged is there when the storage is opened again",
      Effect.gen(function* () {
        const here = yield* folder
        const before = yield* Effect.scoped(
          Effect.flatMap(open(here), (engine) => Effect.provide(Effect.zipRight(half, shown), engine))
        )
        const engine = yield* open(here)
        expect(yield* Effect.provide(shown, engine)).toEqual(before)
      })
    ),

    StorageTest.make(
      "P2 seen means stored: another engine sees a change as soon as it is acknowledged",
      Effect.gen(function* () {
        const here = yield* folder
        const [first, second] = yield* Effect.all([open(here), open(here)])
        const lease = yield* Effect.provide(half, first)
        expect(yield* Effect.provide(shown, second)).toEqual(yield* Effect.provide(shown, first))
        yield* Context.get(second, Storage).answer(q1, allowOnce)
        expect((yield* Context.get(first, StorageReader).question(q1)).answer).toEqual(allowOnce)
        yield* Context.get(first, Storage).storeResult(lease, seq(3), checked(result("c1")))
        expect(yield* Effect.provide(shown, second)).toEqual(yield* Effect.provide(shown, first))
      })
    ),

    StorageTest.make(
      "P9 many processes: of two engines one starts the run, and of two takeovers of it one succeeds",
      Effect.gen(function* () {
        const here = yield* folder
        const engines = yield* Effect.all([open(here), open(here)])
        const [first, second] = engines
        const { lease } = yield* Effect.provide(createAndStart(), first)
        const admitted = yield* Context.get(second, Storage).admit(admission({ presence: secondEngine }))
        expect(admitted._tag).toBe("Busy")
        const taken = yield* Effect.forEach(
          engines,
          (engine) => Context.get(engine, Storage).takeOver(takeover(lease), firstEngine),
          { concurrency: "unbounded" }
        )
        expect(taken.map(({ _tag }) => _tag).toSorted()).toEqual(["Ended", "Lost"])
        expect(yield* refused(Context.get(first, Storage).startCall(lease, seq(3)))).toMatchObject({
          _tag: "LeaseLost"
        })
      })
    )
  ]
}
