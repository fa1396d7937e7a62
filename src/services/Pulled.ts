/**
 * Takes streams chunk by chunk, as they are pulled. Running a stream into a sink costs twice as much, which matters
 * where streams are many and short.
 */
import { Chunk, Effect, Option, Stream } from "effect"

const forEachChunk = <A, E, R, E2, R2>(
  stream: Stream.Stream<A, E, R>,
  f: (chunk: Chunk.Chunk<A>) => Effect.Effect<void, E2, R2>
): Effect.Effect<void, E | E2, R | R2> =>
  Effect.scoped(
    Effect.flatMap(Stream.toPull(stream), (pull) => {
      const rest: Effect.Effect<void, Option.Option<E | E2>, R | R2> = Effect.flatMap(pull, (chunk) =>
        Effect.zipRight(Effect.mapError(f(chunk), Option.some), rest)
      )
      return Effect.catchAll(rest, Option.match({ onNone: () => Effect.void, onSome: (error) => Effect.fail(error) }))
    })
  )

/** Runs `f` on each value, one after the other. */
export const forEach = <A, E, R, E2, R2>(
  stream: Stream.Stream<A, E, R>,
  f: (value: A) => Effect.Effect<void, E2, R2>
): Effect.Effect<void, E | E2, R | R2> =>
  forEachChunk(stream, (chunk) => {
    const only = chunk.length === 1 ? Chunk.head(chunk) : Option.none()
    return Option.isSome(only) ? f(only.value) : Effect.forEach(chunk, f, { discard: true })
  })

/** Returns all values of a stream. */
export const all = <A, E, R>(stream: Stream.Stream<A, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.suspend(() => {
    const values: Array<A> = []
    const add = (chunk: Chunk.Chunk<A>) => Effect.sync(() => Chunk.forEach(chunk, (value) => void values.push(value)))
    return Effect.as(forEachChunk(stream, add), values)
  })
