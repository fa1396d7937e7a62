/**
 * Closes an engine in order: its runs are drained while everything that they need still works, signs of life included.
 * So this layer is built after all others of the engine, and closed before them.
 *
 * With `Leaving`, a host can have its engine drain before it closes it: a server then refuses messages, but still shows
 * how its runs end.
 *
 * An engine that is outdated lets go of its runs, for engines of the newer version to go on with, and says so in the log.
 */
import { Effect, Layer } from "effect"
import type { StorageUnusable } from "../../domain/SkeinError.js"
import { Outdated } from "../storage/Outdated.js"
import { Drivers } from "./Drivers.js"
import { Leaving } from "./Leaving.js"

export const layer: Layer.Layer<never, never, Drivers> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { abandon, drain } = yield* Drivers
    const { drained, outdated, wanted } = yield* Leaving
    const { known } = yield* Outdated
    yield* Effect.addFinalizer(() => drain)
    const abandonAll = Effect.fnUntraced(function* (refusal: StorageUnusable) {
      const { detail, path } = refusal
      yield* abandon
      yield* Effect.annotateLogs(
        Effect.logError("a newer version has migrated the database; this engine stops working with it"),
        { path, versions: detail }
      )
      yield* outdated(refusal)
    })
    yield* Effect.forkScoped(Effect.flatMap(known, abandonAll))
    yield* Effect.forkScoped(wanted.pipe(Effect.zipRight(drain), Effect.zipRight(drained)))
  })
)
