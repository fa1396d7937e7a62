/** Any text as one line that a terminal and a list can show. */

/** Control characters, halves of surrogate pairs, and what turns or hides the text around it. */
const unprintable = /[\p{Cc}\p{Cs}\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu

/** Makes each run of white space one blank, line breaks included, trims the ends and drops what cannot be seen. */
export const fold = (text: string): string =>
  text.replace(/\s+/gu, " ").replace(unprintable, "").replace(/ +/g, " ").trim()

/** The first line of a text that is not blank, folded, cut to `limit` characters (code points); null when all are blank. */
export const first = (text: string, limit: number): string | null => {
  const line = text
    .split(/\r\n|[\n\r\u2028\u2029]/u)
    .map(fold)
    .find((line) => line !== "")
  if (line === undefined || limit < 1) return null
  const points = Array.from(line)
  return points.length <= limit
    ? line
    : `${points
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`
}
