/**
 * A text that grows at its end. Reading what was added since some position costs as much as that part is long, however
 * long the whole text is. With a plain string it would not: a string concatenated from many is built as a whole before
 * any part of it can be taken.
 */

interface Piece {
  readonly text: string
  /** Where it begins. */
  readonly start: number
  readonly before: Piece | null
}

export interface GrowingText {
  readonly whole: string
  readonly last: Piece | null
}

export const empty: GrowingText = { whole: "", last: null }

export const add = ({ last, whole }: GrowingText, text: string): GrowingText => ({
  whole: whole + text,
  last: { text, start: whole.length, before: last }
})

/** Returns the text after the first `length` UTF-16 units. */
export const after = ({ last, whole }: GrowingText, length: number): string => {
  if (length === 0) return whole
  let text = ""
  let piece = last
  while (piece !== null && piece.start >= length) {
    text = piece.text + text
    piece = piece.before
  }
  return piece === null ? text : piece.text.slice(length - piece.start) + text
}
