/**
 * What changed in a text, by lines. Pure, and bounded: a middle that is too large to compare counts as changed. Two lines
 * are the same only if they also end in the same way.
 */

export interface Line {
  readonly sign: " " | "+" | "-" | "…"
  readonly text: string
  /** How a changed line ends, if that differs between the texts; null for all other lines. */
  readonly end: "CRLF" | "no newline at the end" | null
}

const hasCrlf = (text: string): boolean => text.includes("\r\n")
const hasLf = (text: string): boolean => /(?<!\r)\n/.test(text)

/** Whether a text has a last line without a line end. */
const isOpen = (text: string): boolean => text !== "" && !text.endsWith("\n")

/** Whether two texts, of which the first may be unknown, differ in their line ends. */
const differInEnds = (before: string | null, after: string): boolean => {
  if (before === null) return hasCrlf(after)
  const all = before + after
  return hasCrlf(all) && (hasLf(all) || !hasCrlf(before) || !hasCrlf(after))
}

/** The texts, both ended: of two that are not, such as two pieces of a file, nothing is said. */
const ended = (before: string, after: string): readonly [before: string, after: string] => {
  const end = hasCrlf(before) || hasCrlf(after) ? "\r\n" : "\n"
  const closed = (text: string) => (isOpen(text) ? text + end : text)
  const isSame = isOpen(before) === isOpen(after) || before === "" || after === ""
  return isSame ? [closed(before), closed(after)] : [before, after]
}

/** The lines of a text, each with its line end. */
const linesOf = (text: string): ReadonlyArray<string> => (text === "" ? [] : text.split(/(?<=\n)/))

/** How many lines two texts have in common at their beginning. */
const common = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): number => {
  const differs = one.findIndex((line, at) => line !== other[at])
  return differs === -1 ? one.length : differs
}

const mostCells = 1_000_000

/** A line with its line end, and its sign. */
type Signed = readonly [sign: Line["sign"], line: string]

/** The removed and added lines, by the longest common subsequence. */
const changes = (old: ReadonlyArray<string>, now: ReadonlyArray<string>): ReadonlyArray<Signed> => {
  const removed = old.map((line): Signed => ["-", line])
  const added = now.map((line): Signed => ["+", line])
  if (old.length === 0 || now.length === 0 || old.length * now.length > mostCells) return [...removed, ...added]
  const width = now.length + 1
  const best = new Uint32Array((old.length + 1) * width)
  const at = (i: number, j: number) => best[i * width + j] ?? 0
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      best[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: Array<Signed> = []
  let [i, j] = [0, 0]
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push([" ", old[i] ?? ""])
      i++
      j++
    } else if (i < old.length && (j >= now.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(["-", old[i] ?? ""])
      i++
    } else {
      lines.push(["+", now[j] ?? ""])
      j++
    }
  }
  return lines
}

const around = 3

const endOf = (line: string, marksCrlf: boolean): Line["end"] => {
  if (!line.endsWith("\n")) return "no newline at the end"
  return marksCrlf && line.endsWith("\r\n") ? "CRLF" : null
}

/** The lines that changed, with three lines around them. `before` is null for a file that is new, or not known. */
export const of = (before: string | null, after: string): ReadonlyArray<Line> => {
  const marksCrlf = differInEnds(before, after)
  const [was, is] = before === null ? ["", after] : ended(before, after)
  const [old, now] = [linesOf(was), linesOf(is)]
  const head = common(old, now)
  const tail = common(old.slice(head).toReversed(), now.slice(head).toReversed())
  const same = (line: string): Signed => [" ", line]
  const begin = Math.max(0, head - around)
  const lines: ReadonlyArray<Signed> = [
    ...(begin > 0 ? [["…", "\n"] as const] : []),
    ...old.slice(begin, head).map(same),
    ...changes(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...old.slice(old.length - tail, old.length - tail + around).map(same),
    ...(tail > around ? [["…", "\n"] as const] : [])
  ]
  return lines.map(([sign, line]) => ({
    sign,
    text: line.replace(/\r?\n$/, ""),
    end: sign === "+" || sign === "-" ? endOf(line, marksCrlf) : null
  }))
}

/** How many lines were added and removed. */
export const count = (lines: ReadonlyArray<Line>): { readonly added: number; readonly removed: number } => ({
  added: lines.filter(({ sign }) => sign === "+").length,
  removed: lines.filter(({ sign }) => sign === "-").length
})
