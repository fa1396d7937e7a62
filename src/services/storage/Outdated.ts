/**
 * Whether this engine is outdated: a newer version has migrated its storage. From then on it writes nothing, because it
 * would write what that version does not expect, and reads nothing, because it does not know what the rows mean by now.
 * A storage that can be migrated while engines work on it provides this; any other is never found outdated.
 */
import { Context, Deferred, Effect, Layer, Stream } from "effect"
import type { StorageUnusable } from "../../domain/SkeinError.js"

interface Shape {
  /** What everything is refused with from now on; null as long as the engine is not outdated. */
  readonly refusal: () => StorageUnusable | null
  /** Returns once the engine is outdated. */
  readonly known: Effect.Effect<StorageUnusable>
  /** Called by whatever finds it out. */
  readonly found: (refusal: StorageUnusable) => void
}

export class Outdated extends Context.Reference<Outdated>()("skein/Outdated", {
  defaultValue: (): Shape => ({ refusal: () => null, known: Effect.never, found: () => undefined })
}) {}

/** Refuses effects and streams once the engine is outdated. What fails just before that is refused, too. */
export interface Guard {
  readonly effect: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StorageUnusable, R>
  readonly stream: <A, E, R>(stream: Stream.Stream<A, E, R>) => Stream.Stream<A, E | StorageUnusable, R>
}

export const guard = ({ refusal }: Pick<Shape, "refusal">): Guard => ({
  effect: (effect) =>
    Effect.suspend(() => {
      const refused = refusal()
      return refused === null ? Effect.mapError(effect, (error) => refusal() ?? error) : Effect.fail(refused)
    }),
  stream: (stream) =>
    Stream.suspend(() => {
      const refused = refusal()
      return refused === null ? Stream.mapError(stream, (error) => refusal() ?? error) : Stream.fail(refused)
    })
})

const make = Effect.map(Deferred.make<StorageUnusable>(), (known): Shape => {
  let refusal: StorageUnusable | null = null
  return {
    refusal: () => refusal,
    known: Deferred.await(known),
    found: (found) => {
      refusal ??= found
      Deferred.unsafeDone(known, Effect.succeed(refusal))
    }
  }
})

export const layer = Layer.effect(Outdated, make)
