/**
 * What a text can hide in a terminal: control characters (escape sequences begin with these), characters that reorder
 * text, invisible characters, and marks that pile up on a letter or are on nothing. `replace` puts a sign in the place
 * of each.
 *
 * Invisible characters stay where a script needs them: inside the emoji that Unicode recommends, and a joiner or
 * non-joiner after a letter of a script that has them. At most four marks stay on a letter (UTS 39, 5.4).
 *
 * Not guaranteed: that two texts that look alike are alike.
 */

/** Characters that hide something, or may. */
const suspects =
  "[[\\p{M}\\p{Default_Ignorable_Code_Point}\\p{Cc}\\u2028\\u2029\\ufff9-\\ufffb\\u{13430}-\\u{1343f}]--[\\t\\n]]"

const isSuspect = new RegExp(suspects, "v")

/** Emoji are found first, because they contain suspects. */
const candidates = new RegExp(`(?=\\p{Emoji})(\\p{RGI_Emoji})|${suspects}+`, "gv")

const mark = /^\p{M}$/u

const invisible = /^\p{Default_Ignorable_Code_Point}$/u

const joiner = /^[\u200c\u200d]$/

/** A letter, or a mark on one, of a script in which joiners change how letters are written. */
const joining =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}]$/u

/** What a mark can be on: not a blank, a quote or a bracket. */
const base = /[A-Za-z0-9\u0080-\uffff]$/

const mostMarks = 4

/** A run of suspects with the signs in it. `before` is the two UTF-16 units before the run. */
const judged = (run: string, before: string, sign: (character: string) => string): string => {
  let shown = ""
  let hasBase = base.test(before)
  let marks = 0
  let isJoined = joining.test(before)
  for (const character of run) {
    const isMark = mark.test(character) && !invisible.test(character)
    const isKept = isMark ? hasBase && marks++ < mostMarks : isJoined && joiner.test(character)
    shown += isKept ? character : sign(character)
    isJoined = isKept && joining.test(character)
    hasBase &&= isKept
  }
  return shown
}

/** The text with a sign in the place of each character that hides something; tabs and line feeds stay. */
export const replace = (text: string, sign: (character: string) => string): string =>
  isSuspect.test(text)
    ? text.replace(candidates, (run: string, emoji: string | undefined, at: number) =>
        emoji === undefined ? judged(run, text.slice(Math.max(0, at - 2), at), sign) : run
      )
    : text

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
