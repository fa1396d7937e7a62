/** A text that comes as a stream of bytes, such as stdin or a file: whole, of a limited size, in UTF-8. */
import { Effect } from "effect"
import type { Readable } from "node:stream"
import { InvalidInput } from "../../domain/SkeinError.js"
import { codeOf } from "../ErrorCode.js"

export interface Limits {
  /** What the text is, for errors. */
  readonly field: string
  readonly mostBytes: number
}

const collect = (stream: Readable, { field, mostBytes }: Limits): Effect.Effect<Uint8Array, InvalidInput> =>
  Effect.tryPromise({
    try: async () => {
      const chunks: Array<Uint8Array> = []
      let bytes = 0
      for await (const chunk of stream) {
        if (!(chunk instanceof Uint8Array)) continue
        bytes += chunk.length
        if (bytes > mostBytes) throw new InvalidInput({ field, limit: `at most ${mostBytes} bytes`, actual: "more" })
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    },
    catch: (thrown) =>
      thrown instanceof InvalidInput
        ? thrown
        : new InvalidInput({ field, limit: "must be readable", actual: codeOf(thrown) })
  })

const decode = (bytes: Uint8Array, field: string): Effect.Effect<string, InvalidInput> =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new InvalidInput({ field, limit: "must be UTF-8 text", actual: "other bytes" })
  })

/** Reads a stream to its end. Fails with `InvalidInput` when it cannot be read, is too long, or is not UTF-8. */
export const read = (stream: Readable, limits: Limits): Effect.Effect<string, InvalidInput> =>
  Effect.flatMap(collect(stream, limits), (bytes) => decode(bytes, limits.field))
