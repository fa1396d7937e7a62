/**
 * Texts that survive a request: no half of a surrogate pair (providers refuse the whole request for one), and none made
 * by cutting. Lengths are UTF-16 units, which is what is cheap to count; a cut may fall one unit short.
 */

/** The text with each lone surrogate replaced by U+FFFD. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\uFFFD")

const head = (text: string, length: number): string => wellFormed(text.slice(0, length).replace(/[\uD800-\uDBFF]$/, ""))

const tail = (text: string, length: number): string => wellFormed(text.slice(-length).replace(/^[\uDC00-\uDFFF]/, ""))

/** At most the first `length` units, with a mark when something was cut off. */
export const start = (text: string, length: number): string =>
  text.length <= length ? wellFormed(text) : `${head(text, length)}…`

const shortLength = 1_000
const headLength = 500
const tailLength = 300

/**
 * A long text's beginning and end, with a note between them that says how many characters (code points) were left out.
 * A text of at most 1,000 units stays whole; the result never is longer than that.
 */
export const shorten = (text: string): string => {
  if (text.length <= shortLength) return wellFormed(text)
  const first = head(text, headLength)
  const last = tail(text, tailLength)
  const left = Array.from(text.slice(first.length, -last.length)).length
  return `${first}\n[${left} characters left out]\n${last}`
}
