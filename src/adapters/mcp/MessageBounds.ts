/**
 * How much a server may send in one message: its values and their depth are counted on its bytes before anything parses
 * it. The client package checks whatever is parsed in one stretch, and takes a moment for each value that is wrong.
 */
import * as BoundedJson from "../../domain/BoundedJson.js"
import * as JsonSize from "../../domain/JsonSize.js"

/** Why a server was given up. Contains nothing that it wrote. */
export class Misbehaved extends Error {}

const { mostValues } = BoundedJson

/** Twice as deep as a value may be, because a message has its own structure around it. */
const deepest = 2 * BoundedJson.deepest

export interface MessageBounds {
  /** Takes the next bytes. Returns why the server is given up; null while all is well. */
  readonly take: (piece: Uint8Array) => Misbehaved | null
}

/** For one message, or a list of them. */
export const ofMessage = (): MessageBounds => {
  const size = JsonSize.make()
  return {
    take: (piece) => {
      size.take(piece)
      if (size.values() > mostValues) return new Misbehaved(`sent a message of over ${mostValues} values`)
      if (size.deepest() > deepest) return new Misbehaved(`sent a message nested more than ${deepest} deep`)
      return null
    }
  }
}

const [lineFeed, carriageReturn] = [0x0a, 0x0d]

/** What a line begins with that has a part of a message. */
const field = new TextEncoder().encode("data:")

/**
 * For a stream of events, each of which holds one message and ends with an empty line. Only the message's own lines
 * count: brackets in others would hide how deep it is. The first line always counts, as marks may precede its field.
 */
export const ofEvents = (): MessageBounds => {
  let event = ofMessage()
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
          if (isEmptyLine) event = ofMessage()
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
