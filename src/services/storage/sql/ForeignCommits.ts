/**
 * Wakes watchers when another process has committed. While anybody watches, the writing connection is asked every 20 ms
 * whether another connection has committed, which takes microseconds. While nobody watches, nothing is asked. What
 * changed is unknown, so all watchers are woken.
 */
import { Effect, Layer, Ref } from "effect"
import { Database } from "./Database.js"
import { EventSignals } from "../EventSignals.js"

const interval = "20 millis"

export const layer: Layer.Layer<never, never, Database | EventSignals> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const database = yield* Database
    const signals = yield* EventSignals
    const seen = yield* Ref.make<number | null>(null)

    const version = Effect.flatMap(database.writer, (writer) => Effect.try(writer.foreignVersion))
    const look = Effect.gen(function* () {
      yield* signals.whenWatched
      const now = yield* version
      if ((yield* Ref.getAndSet(seen, now)) !== now) signals.signalAll()
    })
    // A database that cannot be read now is asked again; whoever reads it gets the error.
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.ignore(look), Effect.sleep(interval))))
  })
)
