/**
 * Compares a JSON text with upper bounds before it is parsed: how many values it has, and how deep they are nested.
 * Whatever walks the value afterwards does so in one stretch. Pure.
 */
import * as JsonSize from "./JsonSize.js"

/** The most values in a text, and how deep they may be nested. */
export interface JsonBounds {
  readonly values: number
  readonly depth: number
}

/** The most values of a message that is stored, and of a request that holds one: more than its readers notice. */
export const messageValues = 100_000

export const tooDeep = (depth: number): string => `nested more than ${depth} deep`

export interface Comparison {
  /** Takes the next piece. Returns what is too much so far, in words; null while nothing is. */
  readonly take: (piece: Uint8Array) => string | null
}

/** For one text. */
export const comparing = ({ depth, values }: JsonBounds): Comparison => {
  const size = JsonSize.make()
  return {
    take: (piece) => {
      size.take(piece)
      if (size.deepest() > depth) return tooDeep(depth)
      return size.values() > values ? `more than ${values} values` : null
    }
  }
}

/** Characters that are counted before the count is looked at. */
const portion = 64 * 1024

const encoder = new TextEncoder()

/** Returns what is too much in a text, in words; null when nothing is. */
export const excess = (text: string, bounds: JsonBounds): string | null => {
  if (text.length <= Math.min(bounds.values, bounds.depth)) return null
  const comparison = comparing(bounds)
  for (let from = 0; from < text.length; from += portion) {
    const flaw = comparison.take(encoder.encode(text.slice(from, from + portion)))
    if (flaw !== null) return flaw
  }
  return null
}
