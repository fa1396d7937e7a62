/**
 * How many columns of a terminal a text takes, and how it is cut and wrapped to fit. Texts are harmless already, as
 * `TerminalText` returns them.
 *
 * Terminals differ for emoji that are joined and for some scripts, so a width is the most that any of them takes: a
 * text that fits by it is never wrapped by the terminal itself.
 */
import { Array as Arr } from "effect"

/** Wide and fullwidth in Unicode's EastAsianWidth.txt, and emoji. */
const wide =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u

/** Marks, joiners, and the vowels and finals of Hangul syllables that are written in parts. */
const narrowest = /[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}\u1160-\u11ff\ud7b0-\ud7ff]/u

/** Makes the emoji before it wide. */
const emojiSelector = "\ufe0f"

const plain = /^[\x20-\x7e]*$/

const widthOf = (character: string): number => {
  if (character < "\u0300") return 1
  if (character === emojiSelector) return 1
  if (narrowest.test(character)) return 0
  return wide.test(character) ? 2 : 1
}

/** The most columns that a text on one line takes. */
export const width = (text: string): number =>
  plain.test(text) ? text.length : Array.from(text).reduce((sum, character) => sum + widthOf(character), 0)

const segments = new Intl.Segmenter()

const clusters = (text: string): Iterable<string> =>
  plain.test(text) ? text : Array.from(segments.segment(text), ({ segment }) => segment)

/** As much of the text's beginning as fits. */
export const take = (text: string, columns: number): string => {
  if (plain.test(text)) return text.slice(0, Math.max(0, columns))
  let taken = ""
  let room = columns
  for (const cluster of clusters(text)) {
    room -= width(cluster)
    if (room < 0) break
    taken += cluster
  }
  return taken
}

const tabStop = 8

/** Clusters with their widths; one that is wider than a whole row is taken apart. */
const pieces = (text: string, columns: number): ReadonlyArray<readonly [piece: string, width: number]> =>
  Arr.flatMap(Array.from(clusters(text)), (cluster) => {
    const whole = width(cluster)
    return whole <= columns ? [[cluster, whole]] : Array.from(cluster, (character) => [character, widthOf(character)])
  })

/** A tab goes to the next stop or to the last column, and never to the next row. */
const tabWidth = (at: number, columns: number): number =>
  Math.max(0, Math.min(tabStop - (at % tabStop), columns - 1 - at))

/** The rows that a text on one line takes, as a terminal wraps it; one at least. Tabs stay. `columns` is 2 or more. */
export const wrap = (text: string, columns: number): Arr.NonEmptyReadonlyArray<string> => {
  const rows: Array<string> = []
  if (plain.test(text)) {
    let at = 0
    for (; text.length - at > columns; at += columns) rows.push(text.slice(at, at + columns))
    return Arr.append(rows, text.slice(at))
  }
  let row = ""
  let taken = 0
  for (const [piece, width] of pieces(text, columns)) {
    const more = piece === "\t" ? tabWidth(taken, columns) : width
    if (taken + more > columns) {
      rows.push(row)
      row = ""
      taken = 0
    }
    row += piece
    taken += more
  }
  return Arr.append(rows, row)
}

/** The rows that a text on one line takes when it is wrapped at its blanks, where that is possible. */
export const wrapWords = (text: string, columns: number): Arr.NonEmptyReadonlyArray<string> => {
  const rows: Array<string> = []
  let row = ""
  for (const word of text.split(/(?<= )(?! )/)) {
    if (width(row + word.trimEnd()) <= columns) {
      row += word
      continue
    }
    if (row.trim() !== "") rows.push(row.trimEnd())
    const [...parts] = wrap(word.trimStart(), columns)
    row = parts.pop() ?? ""
    rows.push(...parts)
  }
  return Arr.append(rows, take(row, columns))
}
