/**
 * A stream of values as one JSON array, written as it is read. Its first values are read before the answer begins, so
 * that a stream that cannot be read at all is refused; a failure after that cuts the answer off.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Chunk, Effect, Option, type Schema, type Scope, Stream } from "effect"
import * as ExactCheck from "../../domain/ExactCheck.js"
import { turn } from "../EventLoop.js"

const encoder = new TextEncoder()

/** Returns the stream with its first chunk already read. The rest can be read while the scope is open. */
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

/** Answers with all values of a stream. */
export const respond = <A, I>(schema: Schema.Schema<A, I>) => {
  const encode = ExactCheck.toJson(schema)
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

/** How much of a list is written in one piece, unless a single value is larger. */
const portion = { values: 200, characters: 256 * 1024 }

function* textsOf<A>(list: ReadonlyArray<A>, encode: (value: A) => string): Generator<string, void> {
  let text = "["
  let values = 0
  for (const [index, value] of list.entries()) {
    if (values === portion.values || text.length >= portion.characters) {
      yield text
      text = ""
      values = 0
    }
    text += (index === 0 ? "" : ",") + encode(value)
    values++
  }
  yield `${text}]`
}

/** Answers with a list of any length, with turns of the event loop between its pieces. */
export const respondList = <A, I>(schema: Schema.Schema<A, I>, options: { readonly status: number }) => {
  const encode = ExactCheck.toJson(schema)
  return (list: ReadonlyArray<A>) => {
    const texts = Effect.sync(() => Stream.fromIteratorSucceed(textsOf(list, encode), 1))
    const body = Stream.unwrap(Effect.zipRight(turn, texts)).pipe(
      Stream.mapEffect((text) => Effect.as(turn, encoder.encode(text)))
    )
    return HttpServerResponse.stream(body, { ...options, contentType: "application/json" })
  }
}
