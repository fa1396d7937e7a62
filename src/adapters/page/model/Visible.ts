/**
 * Texts of models and tools in which nothing stays hidden: characters that reorder text, have no width or control a
 * terminal are shown by their code. Pure.
 */

/** A piece of a text, or the code of a character that would not be seen. */
export interface Piece {
  readonly text: string
  readonly hidden: boolean
}

/**
 * What is invisible: control characters except tab and line feed, all that Unicode says to draw as nothing, line and
 * format controls, and lone surrogates. What a selector gives another form is found first, because that is seen: a sign
 * as an emoji, a keycap, a variant of an ideograph.
 */
const hidden =
  /(\p{Extended_Pictographic}\uFE0F|[0-9#*]\uFE0F\u20E3|\p{Ideographic}[\uFE00-\uFE02\u{E0100}-\u{E01EF}])|[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u2028\u2029\uFFF9-\uFFFB\u{13430}-\u{1343F}\p{Default_Ignorable_Code_Point}\p{Cs}]/gu

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
    if (match[1] !== undefined) continue
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
export const line = (text: string): string =>
  text
    .replace(hidden, (_, seen: string | undefined) => seen ?? "")
    .replace(/\s+/g, " ")
    .trim()
