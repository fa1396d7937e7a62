/**
 * What a text can hide from those who read it: control characters (escape sequences begin with these), characters that
 * reorder text, invisible characters, lone surrogates, and marks that pile up on a letter or are on nothing. `pieces`
 * tells these from the rest, `replace` puts a sign in the place of each. Has no Schemas, because the page includes this
 * file. Pure.
 *
 * Invisible characters stay where a script needs them: inside the emoji that Unicode recommends, a joiner or non-joiner
 * after a letter of a script that has them, and a selector after an ideograph, which has another form with it. At most
 * four marks stay on a letter (UTS 39, 5.4).
 *
 * Not guaranteed: that two texts that look alike are alike.
 */

/** Characters that hide something, or may. */
const suspects =
  "[[\\p{M}\\p{Default_Ignorable_Code_Point}\\p{Cc}\\p{Cs}\\u2028\\u2029\\ufff9-\\ufffb\\u{13430}-\\u{1343f}]--[\\t\\n]]"

const isSuspect = new RegExp(suspects, "v")

/** Emoji and variants of ideographs are found first, because they contain suspects. */
const seen = "(?=\\p{Emoji})\\p{RGI_Emoji}|\\p{Ideographic}[\\ufe00-\\ufe02\\u{e0100}-\\u{e01ef}]"

const candidates = new RegExp(`(${seen})|${suspects}+`, "gv")

const mark = /^\p{M}$/u

const invisible = /^\p{Default_Ignorable_Code_Point}$/u

const joiner = /^[\u200c\u200d]$/

/** A letter, or a mark on one, of a script in which joiners change how letters are written. */
const joining =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}]$/u

/** What a mark can be on: not a blank, a quote or a bracket. */
const base = /[A-Za-z0-9\u0080-\uffff]$/

const mostMarks = 4

/** A piece of a text, or a character in it that hides something. */
export interface Piece {
  readonly text: string
  readonly hidden: boolean
}

/** A run of suspects, character by character. `before` is the two UTF-16 units before the run. */
const judged = (run: string, before: string): ReadonlyArray<Piece> => {
  let hasBase = base.test(before)
  let marks = 0
  let isJoined = joining.test(before)
  return Array.from(run, (text) => {
    const isMark = mark.test(text) && !invisible.test(text)
    const isKept = isMark ? hasBase && marks++ < mostMarks : isJoined && joiner.test(text)
    isJoined = isKept && joining.test(text)
    hasBase &&= isKept
    return { text, hidden: !isKept }
  })
}

/** The text in pieces. Tabs and line feeds hide nothing. */
export const pieces = (text: string): ReadonlyArray<Piece> => {
  if (!isSuspect.test(text)) return text === "" ? [] : [{ text, hidden: false }]
  const all: Array<Piece> = []
  let plain = ""
  const end = () => {
    if (plain !== "") all.push({ text: plain, hidden: false })
    plain = ""
  }
  let from = 0
  for (const { 0: run, 1: whole, index } of text.matchAll(candidates)) {
    plain += text.slice(from, index)
    from = index + run.length
    const parts =
      whole === undefined ? judged(run, text.slice(Math.max(0, index - 2), index)) : [{ text: run, hidden: false }]
    for (const part of parts) {
      if (part.hidden) {
        end()
        all.push(part)
      } else {
        plain += part.text
      }
    }
  }
  plain += text.slice(from)
  end()
  return all
}

/** The text with a sign in the place of each character that hides something. */
export const replace = (text: string, sign: (character: string) => string): string =>
  pieces(text)
    .map((piece) => (piece.hidden ? sign(piece.text) : piece.text))
    .join("")

/** Characters that belong together are judged together if they fit into this many UTF-16 units. */
const mostOpen = 64

/** Emoji that are being joined, a character, suspects after it, half of a surrogate pair. */
const open = new RegExp(
  `(?:\\p{Extended_Pictographic}\\p{Emoji_Modifier}?\\ufe0f?\\u200d)*(?:\\p{Extended_Pictographic}\\p{Emoji_Modifier}|[^\\t\\n])?${suspects}*[\\ud800-\\udbff]?$`,
  "v"
)

/** How many UTF-16 units at the text's end can only be judged together with what follows. */
export const openEnd = (text: string): number => {
  if (/[\t\n\x20-\x7e]$/.test(text)) return 0
  const length = open.exec(text.slice(-mostOpen))?.[0].length ?? 0
  return length === mostOpen ? 0 : length
}
