/**
 * Where a moment is in a group's lanes. Time in which some call ran is drawn to scale. A wait of all of them, mostly
 * for a person, is cut to at most a sixth of the total running time, so that it does not make the work too small to
 * see.
 */
import type { Call } from "./Strands.js"

export interface Scale {
  /** From 0 to 1. */
  readonly at: (moment: number) => number
  /** How long at least one call ran, in milliseconds. */
  readonly busy: number
}

type Span = readonly [from: number, to: number]

/** The times in which some call ran, joined where they overlap. */
const busySpans = (calls: ReadonlyArray<Call>, now: number): ReadonlyArray<Span> => {
  const spans = calls
    .flatMap(({ endedAt, startedAt }): ReadonlyArray<Span> =>
      startedAt === null ? [] : [[startedAt, Math.max(startedAt, endedAt ?? now)]]
    )
    .toSorted(([a], [b]) => a - b)
  const joined: Array<Span> = []
  for (const [from, to] of spans) {
    const last = joined.at(-1)
    if (last !== undefined && from <= last[1]) joined[joined.length - 1] = [last[0], Math.max(last[1], to)]
    else joined.push([from, to])
  }
  return joined
}

/** The scale of a step's calls. */
export const of = (calls: ReadonlyArray<Call>, now: number): Scale => {
  const spans = busySpans(calls, now)
  const busy = spans.reduce((sum, [from, to]) => sum + to - from, 0)
  const begin = Math.min(...calls.map(({ askedAt }) => askedAt))
  const end = Math.max(begin, ...calls.map(({ endedAt }) => endedAt ?? now))
  const most = busy === 0 ? 1 : busy / 6
  // Each piece is a span of time and its width.
  const pieces: Array<{ readonly from: number; readonly to: number; readonly width: number }> = []
  let from = begin
  const idle = (to: number) => {
    if (to > from) pieces.push({ from, to, width: Math.min(to - from, most) })
  }
  for (const [start, stop] of spans) {
    idle(start)
    if (stop > start) pieces.push({ from: Math.max(start, from), to: stop, width: stop - Math.max(start, from) })
    from = Math.max(from, stop)
  }
  idle(end)
  const width = pieces.reduce((sum, piece) => sum + piece.width, 0)
  return {
    busy,
    at: (moment) => {
      if (width === 0) return moment > begin ? 1 : 0
      let before = 0
      for (const piece of pieces) {
        if (moment < piece.to) {
          const part = Math.max(0, moment - piece.from) / (piece.to - piece.from)
          return (before + part * piece.width) / width
        }
        before += piece.width
      }
      return 1
    }
  }
}
