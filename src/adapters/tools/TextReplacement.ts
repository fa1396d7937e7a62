/**
 * Finds and replaces a text in the bytes of a file.
 *
 * Guaranteed:
 * - time in proportion to the file, the texts and the result, whatever they hold;
 * - overlapping matches count separately;
 * - the size of the result is known before any of it is made;
 * - the event loop turns meanwhile.
 *
 * A line feed of the text matches a line end of either kind. The replacement gets the file's own line ends. Where these
 * are mixed, it takes those of the match in order and then repeats the last one; if the match has none, it takes the
 * line end of the line in which the match ends.
 */
import { Effect } from "effect"
import * as EventLoop from "../EventLoop.js"
import type { Plain } from "./LineEnds.js"

/** How far a match falls back at each of a text's bytes (Knuth, Morris and Pratt). */
const fallbacks = (text: Uint8Array): Uint32Array => {
  const table = new Uint32Array(text.length)
  let length = 0
  for (let at = 1; at < text.length; at++) {
    while (length > 0 && text[at] !== text[length]) length = table[length - 1] ?? 0
    if (text[at] === text[length]) length++
    table[at] = length
  }
  return table
}

/** Bytes that are searched in one turn of the event loop. */
const turnBytes = 256 * 1024

/** Calls `onMatch` with the start of each match in order, overlapping ones too, until it returns false. */
const eachMatch = (bytes: Uint8Array, text: Uint8Array, onMatch: (start: number) => boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const table = fallbacks(text)
    let length = 0
    let at = 0
    const hasMore = (): boolean => {
      for (const end = Math.min(bytes.length, at + turnBytes); at < end; at++) {
        while (length > 0 && bytes[at] !== text[length]) length = table[length - 1] ?? 0
        if (bytes[at] === text[length]) length++
        if (length < text.length) continue
        if (!onMatch(at + 1 - text.length)) return false
        length = table[length - 1] ?? 0
      }
      return at < bytes.length
    }
    return Effect.whileLoop({ while: hasMore, body: () => EventLoop.turn, step: () => undefined })
  })

/** A file, the text to find in it, which is not empty, and the text that takes its place. */
export interface Replacement {
  readonly file: Plain
  readonly oldText: Plain
  readonly newText: Plain
}

/** Locates matches; must be asked for them in order. */
const makePlaces = ({ file: { feeds, pairs }, newText, oldText }: Replacement) => {
  let next = 0
  /** The number of line feeds before a position. */
  const feedsBefore = (place: number): number => {
    while (next < feeds.length && (feeds[next] ?? 0) < place) next++
    return next
  }
  const isPair = (feed: number): boolean => (pairs[feed + 1] ?? 0) > (pairs[feed] ?? 0)
  return (start: number) => {
    const first = feedsBefore(start)
    const end = feedsBefore(start + oldText.bytes.length)
    const fallback = end > first || end === feeds.length ? end - 1 : end
    /** Whether the line end of the new text with this number has a carriage return. */
    const hasReturn = (index: number): boolean => isPair(first + index < end ? first + index : fallback)
    let returns = 0
    for (let index = 0; index < newText.feeds.length; index++) if (hasReturn(index)) returns++
    return {
      /** In the file with its own line ends. */
      from: start + (pairs[first] ?? 0),
      to: start + oldText.bytes.length + (pairs[end] ?? 0),
      line: first + 1,
      size: newText.bytes.length + returns,
      hasReturn
    }
  }
}

interface Survey {
  /** All matches, overlapping ones too. */
  readonly matches: number
  /** Matches that are replaced: each that does not overlap the last one replaced. */
  readonly replaceable: number
  /** The line of the first match, from 1; 0 without a match. */
  readonly line: number
  /**
   * Bytes of the file when all replaceable matches are replaced; some number beyond the limit when that is beyond it.
   */
  readonly size: number
}

/** Looks for all matches. Stops where the file would grow beyond `limit`. */
export const survey = Effect.fnUntraced(function* (replacement: Replacement, limit: number) {
  const { file, oldText } = replacement
  const placeOf = makePlaces(replacement)
  let matches = 0
  let replaceable = 0
  let line = 0
  let size = file.bytes.length + (file.pairs.at(-1) ?? 0)
  let next = 0
  yield* eachMatch(file.bytes, oldText.bytes, (start) => {
    matches++
    if (start < next) return true
    const place = placeOf(start)
    replaceable++
    if (line === 0) line = place.line
    size += place.size - (place.to - place.from)
    next = start + oldText.bytes.length
    return size - (file.bytes.length - next) * 2 <= limit
  })
  return { matches, replaceable, line, size } satisfies Survey
})

/** Replaces every match that does not overlap the last one replaced in `bytes`, from which the file was made. */
export const replace = Effect.fnUntraced(function* (replacement: Replacement, bytes: Uint8Array, size: number) {
  const { file, newText, oldText } = replacement
  const placeOf = makePlaces(replacement)
  const result = new Uint8Array(size)
  let next = 0
  let read = 0
  let written = 0
  const copy = (part: Uint8Array, from: number, to: number) => {
    if (to - from > 32) result.set(part.subarray(from, to), written)
    else for (let at = from; at < to; at++) result[written + at - from] = part[at] ?? 0
    written += to - from
  }
  yield* eachMatch(file.bytes, oldText.bytes, (start) => {
    if (start < next) return true
    const place = placeOf(start)
    copy(bytes, read, place.from)
    let copied = 0
    newText.feeds.forEach((feed, index) => {
      copy(newText.bytes, copied, feed)
      if (place.hasReturn(index)) result[written++] = 13
      copied = feed
    })
    copy(newText.bytes, copied, newText.bytes.length)
    read = place.to
    next = start + oldText.bytes.length
    return true
  })
  copy(bytes, read, bytes.length)
  return result
})
