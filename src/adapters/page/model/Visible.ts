/**
 * Texts of models and tools in which nothing stays hidden: each character that would be is shown by its code. `Hidden`
 * says which these are. Pure.
 */
import * as Hidden from "../../../domain/Hidden.js"

const nameOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code === 0x1b) return "ESC"
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`
}

/** A text in pieces; a hidden piece is the code of its character. CRLF counts as a line feed. */
export const pieces = (text: string): ReadonlyArray<Hidden.Piece> =>
  Hidden.pieces(text.replaceAll("\r\n", "\n")).map((piece) =>
    piece.hidden ? { text: nameOf(piece.text), hidden: true } : piece
  )

/** The sequences that colour a terminal's text, and no others. */
const colours = /\u001B\[[0-9;]*m/g

/** A tool's output without its colours. */
export const withoutColours = (text: string): string => text.replace(colours, "")

/** A text as one line without what would be hidden, for titles. */
export const line = (text: string): string =>
  Hidden.replace(text, () => "")
    .replace(/\s+/g, " ")
    .trim()
