/**
 * The bounded text of a tool's result. It is cut by code points, so that no character is split. A text is walked
 * through, never taken apart: a text of many megabytes costs no extra memory.
 */

const isPair = (text: string, at: number): boolean =>
  (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00

/** How many characters a text has. */
const count = (text: string): number => {
  let points = 0
  for (let at = 0; at < text.length; at += isPair(text, at) ? 2 : 1) points++
  return points
}

/** Where the first `points` characters of a text end. */
const endOf = (text: string, points: number): number => {
  let at = 0
  for (let passed = 0; passed < points; passed++) at += isPair(text, at) ? 2 : 1
  return at
}

/** Where the last `points` characters of a text begin. */
const startOf = (text: string, points: number): number => {
  let at = text.length
  for (let passed = 0; passed < points; passed++) at -= at >= 2 && isPair(text, at - 2) ? 2 : 1
  return at
}

/** A text cut to `limit` characters: its beginning, a marker that says how much is missing, its end. */
export const bound = (text: string, limit: number): { readonly text: string; readonly missing: number } => {
  const missing = text.length <= limit ? 0 : count(text) - limit
  if (missing <= 0) return { text, missing: 0 }
  const head = Math.ceil(limit * 0.8)
  const beginning = text.slice(0, endOf(text, head))
  const end = text.slice(startOf(text, limit - head))
  return { text: `${beginning}\n[… ${missing} characters left out here …]\n${end}`, missing }
}

/** Returns the text with a line that names the asset of the whole text. */
export const withAsset = (text: string, assetId: string): string =>
  `${text}\n[The whole text is kept as asset ${assetId}.]`
