/**
 * Wakes watchers when another process has committed. While anybody watches, the writing connection is asked every 20 ms
 * whether another connection has committed, which takes microseconds; else every second. What changed is unknown, so all
 * watchers are woken. If it was a newer version that has migrated the database, the engine is outdated.
 */
import { type Duration, Effect, Layer, Ref } from "effect"
import { Database } from "./Database.js"
import { Outdated } from "../Outdated.js"
import { EventSignals } from "../EventSignals.js"

const interval = "20 millis"
const idleInterval = "1 second"

export const layer: Layer.Layer<never, never, Database | EventSignals> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const database = yield* Database
    const signals = yield* EventSignals
    const { found } = yield* Outdated
    const seen = yield* Ref.make<number | null>(null)

    const version = Effect.flatMap(database.writer, (writer) => Effect.try(writer.foreignVersion))
    const look = Effect.gen(function* () {
      const now = yield* version
      if ((yield* Ref.getAndSet(seen, now)) === now) return
      const refusal = yield* Effect.orElseSucceed(Effect.try(database.outdated), () => null)
      if (refusal !== null) found(refusal)
      signals.signalAll()
    })
    // A database that cannot be read now is asked again; whoever reads it gets the error.
    const again = (look: Effect.Effect<void, unknown>, interval: Duration.DurationInput) =>
      Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.ignore(look), Effect.sleep(interval))))
    yield* again(Effect.zipRight(signals.whenWatched, look), interval)
    yield* again(look, idleInterval)
  })
)
