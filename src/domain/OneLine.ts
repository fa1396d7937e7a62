/** Turns any text into one line that a terminal or a list can show. */

/** A class of characters: controls, lone surrogates, and whatever reverses or hides the text around it. */
const hidden = String.raw`\p{Cc}\p{Cs}\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF`

const unprintable = new RegExp(`[${hidden}]`, "gu")

/** Turns each run of white space, line breaks included, into one blank, trims the ends and drops what is invisible. */
export const fold = (text: string): string =>
  text.replace(/\s+/gu, " ").replace(unprintable, "").replace(/ +/g, " ").trim()

/** A character that is still there when the text is folded, and is not a blank. */
const visible = new RegExp(`[^\\s${hidden}]`, "u")

const lineBreak = /[\n\r\u2028\u2029]/u

/** The folded characters of the line at `from`: all of them, or more than `limit`. */
const beginning = (text: string, from: number, limit: number): ReadonlyArray<string> => {
  for (let size = 4 * limit; ; size *= 2) {
    const part = text.slice(from, from + size)
    const end = part.search(lineBreak)
    const points = Array.from(fold(end === -1 ? part : part.slice(0, end)))
    if (end !== -1 || from + size >= text.length || points.length > limit) return points
  }
}

/**
 * Returns the first non-blank line of a text, folded and cut to `limit` characters (code points); null when all lines
 * are blank. However long the line is, no more of it is folded than is needed.
 */
export const first = (text: string, limit: number): string | null => {
  const from = text.search(visible)
  if (from === -1 || limit < 1) return null
  const points = beginning(text, from, limit)
  return points.length <= limit
    ? points.join("")
    : `${points
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`
}

/** Whether a text goes on after its first non-blank line with one that is not blank either. */
const goesOn = (text: string): boolean => {
  const from = Math.max(0, text.search(visible))
  const end = text.slice(from).search(lineBreak)
  return end !== -1 && visible.test(text.slice(from + end))
}

/** Like `first`, but ends in "…" also when other lines follow that are not blank: a shown text never hides that. */
export const opening = (text: string, limit: number): string | null => {
  const line = first(text, limit)
  return line === null || line.endsWith("…") || !goesOn(text) ? line : first(`${line}…`, limit)
}
