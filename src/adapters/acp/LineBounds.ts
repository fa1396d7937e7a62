/** Ends an editor's stream of messages, one on each line, at one that has too much in it, before anything parses it. */
import * as JsonBounds from "../../domain/JsonBounds.js"

/** A message had too much in it. */
export class TooMuch extends Error {}

/** A prompt becomes a message that is stored. No message of the protocol is as deep. */
const bounds: JsonBounds.JsonBounds = { values: JsonBounds.messageValues, depth: 200 }

const lineFeed = 0x0a

export const make = (): TransformStream<Uint8Array, Uint8Array> => {
  let line = JsonBounds.comparing(bounds)
  return new TransformStream({
    transform: (chunk, controller) => {
      for (let from = 0; from <= chunk.length;) {
        const end = chunk.indexOf(lineFeed, from)
        const excess = line.take(chunk.subarray(from, end === -1 ? chunk.length : end))
        if (excess !== null) return controller.error(new TooMuch(excess))
        if (end === -1) break
        line = JsonBounds.comparing(bounds)
        from = end + 1
      }
      controller.enqueue(chunk)
    }
  })
}
