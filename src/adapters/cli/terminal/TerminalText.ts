/**
 * Texts that others wrote (a model, a tool, a file's name, an error), made harmless for a terminal: nothing of them is
 * taken for a control sequence, moves the cursor, hides or reorders what stands around it. What is taken out is shown
 * by a sign in its place, so that it can be seen that something was there.
 *
 * Not guaranteed: that two texts which look alike are alike.
 */
import * as SafeText from "../../../domain/SafeText.js"

/**
 * C0 but for tab and line feed, DEL and C1 (escape sequences begin with these), what reorders text, and what is
 * invisible without being needed in any script.
 */
const harmful =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

const signOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return "\u2421"
  const hex = code.toString(16)
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`
}

/** A text of many lines; tabs and line feeds stay. */
export const block = (text: string): string => SafeText.wellFormed(text).replace(/\r\n/g, "\n").replace(harmful, signOf)

/** A text on one line. */
export const line = (text: string): string => block(text).replace(/[\t\n]/g, signOf)

/** A line of JSON, still the same JSON: what JSON leaves as it is and a terminal does not is escaped. */
export const json = (line: string): string =>
  line.replace(harmful, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`
    ).join("")
  )

/** What can only be judged together with what follows it: half of a pair, a carriage return. */
const undecided = /[\r\ud800-\udbff]$/

/**
 * The next part of a text that arrives in parts: what can be shown of it, and what was held back, to be given with the
 * part after it. `block` shows what was held back at the end.
 */
export const next = (held: string, part: string): readonly [shown: string, held: string] => {
  const text = held + part
  const at = undecided.test(text) ? text.length - 1 : text.length
  return [block(text.slice(0, at)), text.slice(at)]
}

const segments = new Intl.Segmenter()
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u

/** Columns that a text on one line takes. */
export const width = (text: string): number =>
  Array.from(segments.segment(text), ({ segment }) => (wide.test(segment) ? 2 : 1)).reduce((sum, one) => sum + one, 0)

/** The text with blanks up to `columns`. */
export const pad = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - width(text)))

/** UTF-16 units that are looked at for each column. */
const unitsPerColumn = 16

/** The text on one line, cut to what fits into `columns`. */
export const short = (text: string, columns: number): string => {
  const start = text.slice(0, columns * unitsPerColumn)
  const whole = line(start)
  if (start.length === text.length && width(whole) <= columns) return whole
  let kept = ""
  let room = columns - 1
  for (const { segment } of segments.segment(whole)) {
    room -= width(segment)
    if (room < 0) break
    kept += segment
  }
  return `${kept}…`
}
