/**
 * What changed in a text, by lines. Pure, and bounded: a middle that is too large to compare counts as changed.
 */

export interface Line {
  readonly sign: " " | "+" | "-" | "…"
  readonly text: string
}

const linesOf = (text: string | null): ReadonlyArray<string> =>
  text === null || text === "" ? [] : text.replace(/\n$/, "").split(/\r\n|\n/)

/** How many lines two texts have in common at their beginning. */
const common = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): number => {
  const differs = one.findIndex((line, at) => line !== other[at])
  return differs === -1 ? one.length : differs
}

const mostCells = 1_000_000

/** The removed and added lines, by the longest common subsequence. */
const changes = (old: ReadonlyArray<string>, now: ReadonlyArray<string>): ReadonlyArray<Line> => {
  const removed = old.map((text): Line => ({ sign: "-", text }))
  const added = now.map((text): Line => ({ sign: "+", text }))
  if (old.length === 0 || now.length === 0 || old.length * now.length > mostCells) return [...removed, ...added]
  const width = now.length + 1
  const best = new Uint32Array((old.length + 1) * width)
  const at = (i: number, j: number) => best[i * width + j] ?? 0
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      best[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: Array<Line> = []
  let [i, j] = [0, 0]
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ sign: " ", text: old[i] ?? "" })
      i++
      j++
    } else if (i < old.length && (j >= now.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: "-", text: old[i] ?? "" })
      i++
    } else {
      lines.push({ sign: "+", text: now[j] ?? "" })
      j++
    }
  }
  return lines
}

const around = 3

/** The lines that changed, with three lines around them. */
export const of = (before: string | null, after: string): ReadonlyArray<Line> => {
  const [old, now] = [linesOf(before), linesOf(after)]
  const head = common(old, now)
  const tail = common(old.slice(head).toReversed(), now.slice(head).toReversed())
  const same = (text: string): Line => ({ sign: " ", text })
  const begin = Math.max(0, head - around)
  return [
    ...(begin > 0 ? [{ sign: "…" as const, text: "" }] : []),
    ...old.slice(begin, head).map(same),
    ...changes(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...old.slice(old.length - tail, old.length - tail + around).map(same),
    ...(tail > around ? [{ sign: "…" as const, text: "" }] : [])
  ]
}

/** How many lines were added and removed. */
export const count = (lines: ReadonlyArray<Line>): { readonly added: number; readonly removed: number } => ({
  added: lines.filter(({ sign }) => sign === "+").length,
  removed: lines.filter(({ sign }) => sign === "-").length
})
