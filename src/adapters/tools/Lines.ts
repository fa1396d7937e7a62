/** Lines out of text that arrives in pieces, cut anywhere. Lines end at a line feed; a carriage return before it stays. */
import { Option } from "effect"

/**
 * Characters (UTF-16 units) of a line that are kept.
 *
 * @internal
 */
export const maxCharacters = 1024 * 1024

/** Lines that follow one another. */
export interface Block {
  /** Number of the first, counted from 1. */
  readonly first: number
  readonly lines: ReadonlyArray<string>
  /** False only for the last line of a text that does not end in a line feed. */
  readonly isTerminated: boolean
}

/** The line that is not finished yet. */
export interface Open {
  readonly number: number
  readonly text: string
}

export const start: Open = { number: 1, text: "" }

const isHighSurrogate = (text: string, at: number): boolean => /[\ud800-\udbff]/.test(text.charAt(at))

/** At most `limit` characters from `from` on, with no half of a surrogate pair that is whole in the text. */
export const window = (text: string, from: number, limit: number): string => {
  const start = from > 0 && isHighSurrogate(text, from - 1) ? from - 1 : from
  const end = Math.min(text.length, start + limit)
  return text.slice(start, end < text.length && isHighSurrogate(text, end - 1) ? end - 1 : end)
}

/** Takes the next piece, or the end of the text, and gives the lines that are finished with it. */
export const push = (open: Open, piece: Option.Option<string>): [Open, Block] => {
  if (Option.isNone(piece)) {
    const lines = open.text === "" ? [] : [open.text]
    return [open, { first: open.number, lines, isTerminated: false }]
  }
  const [head = "", ...tail] = piece.value.split("\n")
  const finished = [open.text + head, ...tail].map((line) => window(line, 0, maxCharacters))
  const text = finished.at(-1) ?? ""
  const lines = finished.slice(0, -1)
  return [
    { number: open.number + lines.length, text },
    { first: open.number, lines, isTerminated: true }
  ]
}

/** All lines of a text. */
export const all = (text: string): ReadonlyArray<string> => {
  const [open, block] = push(start, Option.some(text))
  return [...block.lines, ...push(open, Option.none())[1].lines]
}
