/**
 * A stream of values as one JSON array, written as it is read. Its first values are read before the answer begins, so
 * that what cannot be read at all is refused; a failure after that cuts the answer off.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Chunk, Effect, Option, Schema, type Scope, Stream } from "effect"

const encoder = new TextEncoder()

/** A stream of which the first chunk was read. The rest can be read while the scope is open. */
export const begun = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<Stream.Stream<A, E>, E, Scope.Scope> =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(stream)
    const first = yield* Effect.matchEffect(pull, {
      onSuccess: Effect.succeedSome,
      onFailure: Option.match({ onNone: () => Effect.succeedNone, onSome: Effect.fail })
    })
    return Option.match(first, {
      onNone: () => Stream.empty,
      onSome: (chunk) => Stream.concat(Stream.fromChunk(chunk), Stream.repeatEffectChunkOption(pull))
    })
  })

/** The answer with all values of a stream. */
export const respond = <A, I>(schema: Schema.Schema<A, I>) => {
  const encode = Schema.encodeSync(Schema.parseJson(schema))
  return <E>(stream: Stream.Stream<A, E>) =>
    Effect.map(begun(stream), (values) => {
      let separator = "["
      const body = values.pipe(
        Stream.mapChunks((chunk) => {
          if (Chunk.isEmpty(chunk)) return Chunk.empty()
          const text = `${separator}${Chunk.toReadonlyArray(chunk)
            .map((value) => encode(value))
            .join(",")}`
          separator = ","
          return Chunk.of(encoder.encode(text))
        }),
        Stream.concat(Stream.suspend(() => Stream.make(encoder.encode(separator === "[" ? "[]" : "]"))))
      )
      return HttpServerResponse.stream(body, { contentType: "application/json" })
    })
}
