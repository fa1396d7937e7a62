/** SQLite storage that acknowledges messages before it has stored them, to test that this is noticed. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { serve } from "skein/testing"
import { Seq } from "../../../../src/domain/Session.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import { engineIn } from "../../services/storage/disk.js"

const [directory = ""] = process.argv.slice(2)

const early = Layer.effect(
  Storage,
  Effect.gen(function* () {
    const storage = yield* Storage
    const reader = yield* StorageReader
    return {
      ...storage,
      append: (sessionId, messages) =>
        Effect.gen(function* () {
          const { head } = yield* reader.session(sessionId)
          yield* Effect.forkDaemon(storage.append(sessionId, messages))
          return messages.map(({ value: message }, index) => ({
            seq: Seq.make(head + index + 1),
            runId: null,
            actor: null,
            at: 0,
            message
          }))
        })
    }
  })
)

NodeRuntime.runMain(
  serve(
    Layer.provideMerge(early, engineIn(directory)).pipe(Layer.provide(EngineConfig.layer({ synchronous: "NORMAL" })))
  )
)
