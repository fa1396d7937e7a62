/**
 * Wakes watchers when another process has committed. While anybody watches, the writing connection is asked each 20 ms
 * whether the file was changed by another connection (`PRAGMA data_version`, some microseconds; it does not count the
 * connection's own commits); while nobody does, nothing is asked. What changed is not known, so all are woken.
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

    const version = Effect.flatMap(database.writer, (writer) =>
      Effect.try(() => writer.get<{ readonly data_version: number }>("PRAGMA data_version"))
    )
    const look = Effect.gen(function* () {
      yield* signals.whenWatched
      const now = (yield* version)?.data_version ?? null
      if ((yield* Ref.getAndSet(seen, now)) !== now) signals.signalAll()
    })
    // A database that cannot be read just now is asked again; who reads it is told why.
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.ignore(look), Effect.sleep(interval))))
  })
)
