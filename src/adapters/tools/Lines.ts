/**
 * Lines of text that arrives in pieces, cut anywhere. Lines end at a line feed; a carriage return before it stays.
 */
import { Option } from "effect"

/**
 * Characters (UTF-16 units) of a line that are kept.
 *
 * @internal
 */
export const maxCharacters = 1024 * 1024

/** Lines that follow one another. */
export interface Block {
  /** Number of the first line, counted from 1. */
  readonly first: number
  readonly lines: ReadonlyArray<string>
  /** Which of the lines, counted from 0, were longer than `maxCharacters`. */
  readonly cut: ReadonlyArray<number>
  /** False only for the last line of a text that does not end in a line feed. */
  readonly isTerminated: boolean
}

/** The line that is not finished yet. */
export interface OpenLine {
  readonly number: number
  readonly text: string
  /** Whether characters of it were dropped. */
  readonly isCut: boolean
}

export const start: OpenLine = { number: 1, text: "", isCut: false }

const isHighSurrogate = (text: string, at: number): boolean => /[\ud800-\udbff]/.test(text.charAt(at))

/** At most `limit` characters from `from` on, without splitting a surrogate pair. */
export const window = (text: string, from: number, limit: number): string => {
  const start = from > 0 && isHighSurrogate(text, from - 1) ? from - 1 : from
  const end = Math.min(text.length, start + limit)
  return text.slice(start, end < text.length && isHighSurrogate(text, end - 1) ? end - 1 : end)
}

/** Adds characters to a line. Adding to a line that is already full costs nothing. */
const extend = (open: OpenLine, text: string): OpenLine => {
  if (open.isCut || text === "") return open
  const whole = open.text + text
  return whole.length <= maxCharacters
    ? { ...open, text: whole }
    : { ...open, text: window(whole, 0, maxCharacters), isCut: true }
}

/** Takes the next piece, or the end of the text, and returns the lines that it completes. */
export const push = (open: OpenLine, piece: Option.Option<string>): [OpenLine, Block] => {
  if (Option.isNone(piece)) {
    const isEmpty = open.text === ""
    const cut = open.isCut ? [0] : []
    return [open, { first: open.number, lines: isEmpty ? [] : [open.text], cut, isTerminated: false }]
  }
  const [head = "", ...tail] = piece.value.split("\n")
  const next = tail.pop()
  const first = extend(open, head)
  const none = { first: open.number, lines: [], cut: [], isTerminated: true }
  if (next === undefined) return [first, none]
  const all = [first, ...tail.map((text) => extend(start, text))]
  return [
    extend({ ...start, number: open.number + all.length }, next),
    {
      first: open.number,
      lines: all.map(({ text }) => text),
      cut: all.flatMap(({ isCut }, index) => (isCut ? [index] : [])),
      isTerminated: true
    }
  ]
}

/** All lines of a text. */
export const all = (text: string): ReadonlyArray<string> => {
  const [open, block] = push(start, Option.some(text))
  return [...block.lines, ...push(open, Option.none())[1].lines]
}
