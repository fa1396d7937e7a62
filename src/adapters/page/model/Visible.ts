/**
 * Texts of models and tools in which nothing stays hidden: characters that reorder text, have no width or control a
 * terminal are shown by their code. Pure.
 */

/** A piece of a text, or the code of a character that would not be seen. */
export interface Piece {
  readonly text: string
  readonly hidden: boolean
}

/** Control characters except tab and line feed, bidirectional controls, zero-width characters, and lone surrogates. */
const hidden =
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u115F\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]|\p{Cs}/gu

const nameOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code === 0x1b) return "ESC"
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`
}

/** A text in pieces. CRLF counts as a line feed. */
export const pieces = (whole: string): ReadonlyArray<Piece> => {
  const text = whole.replaceAll("\r\n", "\n")
  const all: Array<Piece> = []
  let from = 0
  for (const match of text.matchAll(hidden)) {
    if (match.index > from) all.push({ text: text.slice(from, match.index), hidden: false })
    all.push({ text: nameOf(match[0]), hidden: true })
    from = match.index + match[0].length
  }
  if (from < text.length) all.push({ text: text.slice(from), hidden: false })
  return all
}

/** The sequences that colour a terminal's text, and no others. */
const colours = /\u001B\[[0-9;]*m/g

/** A tool's output without its colours. */
export const withoutColours = (text: string): string => text.replace(colours, "")

/** A text as one line without invisible characters, for titles. */
export const line = (text: string): string => text.replace(hidden, "").replace(/\s+/g, " ").trim()
