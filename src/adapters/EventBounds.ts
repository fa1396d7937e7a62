/** Compares each JSON text in a stream of server-sent events with upper bounds, before anything parses it. */
import * as JsonBounds from "../domain/JsonBounds.js"

const [lineFeed, carriageReturn] = [0x0a, 0x0d]

/** What a line begins with that has a part of the text. */
const field = new TextEncoder().encode("data:")

/**
 * For a stream of events, each of which holds one text and ends with an empty line. Only the text's own lines count:
 * brackets in others would hide how deep it is. The first line always counts, as marks may precede its field.
 */
export const comparing = (bounds: JsonBounds.JsonBounds): JsonBounds.Comparison => {
  let event = JsonBounds.comparing(bounds)
  let isEmptyLine = true
  let isAfterReturn = false
  /** How much of the field the line has begun with; null for another line. */
  let matched: number | null = field.length
  return {
    take: (piece) => {
      let from = 0
      for (let at = 0; at < piece.length; at++) {
        const byte = piece[at]
        const isSecondHalf = byte === lineFeed && isAfterReturn
        isAfterReturn = byte === carriageReturn
        if (isSecondHalf) continue
        if (byte === lineFeed || byte === carriageReturn) {
          const excess = matched === field.length ? event.take(piece.subarray(from, at + 1)) : null
          if (excess !== null) return excess
          if (isEmptyLine) event = JsonBounds.comparing(bounds)
          isEmptyLine = true
          matched = 0
        } else {
          isEmptyLine = false
          if (matched === null || matched === field.length) continue
          matched = byte === field[matched] ? matched + 1 : null
          from = at + 1
        }
      }
      return matched === field.length ? event.take(piece.subarray(from)) : null
    }
  }
}
