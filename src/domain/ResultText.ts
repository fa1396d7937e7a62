/** The bounded text of a tool's result. Cut by code points, so that no character is torn. */

/** A text cut to `limit` characters: its beginning, a marker that says how much is missing, its end. */
export const bound = (text: string, limit: number): { readonly text: string; readonly missing: number } => {
  if (text.length <= limit) return { text, missing: 0 }
  const points = Array.from(text)
  const missing = points.length - limit
  if (missing <= 0) return { text, missing: 0 }
  const head = Math.ceil(limit * 0.8)
  const tail = limit - head
  return {
    text: `${points.slice(0, head).join("")}\n[… ${missing} characters left out here …]\n${points.slice(points.length - tail).join("")}`,
    missing
  }
}

/** What the model is told where the whole text can be found. */
export const withAsset = (text: string, assetId: string): string => `${text}\n[The whole text is kept as asset ${assetId}.]`
