/** Chunks of a stream as the bytes of an answer, pulled as its client takes them. */
import { type Chunk, Effect, Option, type Scope, Stream } from "effect"
import type { Pull } from "./OpenStreams.js"

const encoder = new TextEncoder()

const ended = Effect.fail(Option.none())

/** Pulls chunks as bytes that are not empty. After a failure it returns the failure's frame, then no more. */
export const asBytes = <A, E>(
  pull: Effect.Effect<Chunk.Chunk<A>, Option.Option<E>>,
  encode: (chunk: Chunk.Chunk<A>) => Uint8Array,
  explain: (error: E) => string
): Pull => {
  let isOver = false
  const next: Pull = Effect.suspend(() =>
    isOver
      ? ended
      : Effect.matchEffect(pull, {
          onSuccess: (chunk) => {
            const bytes = encode(chunk)
            return bytes.length === 0 ? next : Effect.succeed(bytes)
          },
          onFailure: Option.match({
            onNone: () => ended,
            onSome: (error) => {
              isOver = true
              return Effect.succeed(encoder.encode(explain(error)))
            }
          })
        })
  )
  return next
}

/** The same for a stream. */
export const pullBytes = <A, E>(
  stream: Stream.Stream<A, E>,
  encode: (chunk: Chunk.Chunk<A>) => Uint8Array,
  explain: (error: E) => string
): Effect.Effect<Pull, never, Scope.Scope> =>
  Effect.map(Stream.toPull(stream), (pull) => asBytes(pull, encode, explain))
