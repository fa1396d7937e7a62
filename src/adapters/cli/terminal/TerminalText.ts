/**
 * Texts that others wrote (a model, a tool, a file's name, an error), made harmless for a terminal: no part of them is
 * taken for a control sequence, moves the cursor, is invisible, or hides or reorders what is around it. A sign in the
 * place of each such character shows that something was there; `Hidden` says which these are.
 */
import * as Hidden from "../../../domain/Hidden.js"
import * as SafeText from "../../../domain/SafeText.js"
import * as Columns from "./Columns.js"

const signOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return "\u2421"
  const hex = code.toString(16)
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`
}

/** A text of many lines; tabs and line feeds stay. */
export const block = (text: string): string => Hidden.replace(SafeText.wellFormed(text).replace(/\r\n/g, "\n"), signOf)

/** A text on one line. */
export const line = (text: string): string => block(text).replace(/[\t\n]/g, signOf)

const escaped = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`
  ).join("")

/** A line of JSON, still the same JSON: characters that are harmless in JSON but not in a terminal are escaped. */
export const json = (line: string): string => Hidden.replace(line, escaped)

/** A text that arrives in parts, so far. */
export interface Parts {
  /** The last character that was shown, when what follows may belong to it. */
  readonly context: string
  /** What can only be judged together with what follows. */
  readonly held: string
}

export const begin: Parts = { context: "", held: "" }

const shownOf = (context: string, text: string): string => block(context + text).slice(context.length)

/** Adds the next part; returns what can be shown, and the text so far. */
export const next = ({ context, held }: Parts, part: string): readonly [shown: string, parts: Parts] => {
  const text = held + part
  if (text === "") return ["", { context, held }]
  const at = Math.max(0, text.length - Hidden.openEnd(context + text))
  const before = context + text.slice(0, at)
  const last = before.slice(-1)
  return [shownOf(context, text.slice(0, at)), { context: /[\x20-\x7e]/.test(last) ? last : "", held: text.slice(at) }]
}

/** What was held back, at the text's end. */
export const end = ({ context, held }: Parts): string => shownOf(context, held)

/** The text, padded with blanks up to `columns`. */
export const pad = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - Columns.width(text)))

/** UTF-16 units that are read for each column. */
const unitsPerColumn = 16

/** The text on one line, cut to what fits into `columns`. */
export const short = (text: string, columns: number): string => {
  const start = text.slice(0, columns * unitsPerColumn)
  const whole = line(start)
  if (start.length === text.length && Columns.width(whole) <= columns) return whole
  return columns < 1 ? "" : `${Columns.take(whole, columns - 1)}…`
}
