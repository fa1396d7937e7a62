import { Effect } from "effect"

/** Repeats a look at another process, with pauses that leave the machine to it, until it finds what is waited for. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  isThere: (found: A) => boolean
): Effect.Effect<A, E, R> =>
  Effect.flatMap(look, (found) =>
    isThere(found) ? Effect.succeed(found) : Effect.delay(eventually(look, isThere), "20 millis")
  )
