/** Times of work that is done in turns with what it is compared with, so that a slow moment of the machine hits both. */
import { performance } from "node:perf_hooks"

export const median = (numbers: ReadonlyArray<number>): number => quantile(numbers, 0.5)

export const quantile = (numbers: ReadonlyArray<number>, part: number): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

/** Milliseconds. */
export const timed = async (work: () => Promise<unknown> | void): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export interface Pair {
  /** Median milliseconds of ours and of what it is compared with. */
  readonly ours: number
  readonly theirs: number
  /** Median of their time over our time, round by round: how many times as fast ours is. */
  readonly speed: number
}

/** One round to warm up, then `rounds` in which each is timed once. */
export const pair = async (
  rounds: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown> | void
): Promise<Pair> => {
  await ours()
  await theirs()
  const times: Array<{ readonly ours: number; readonly theirs: number }> = []
  for (let round = 0; round < rounds; round++) times.push({ theirs: await timed(theirs), ours: await timed(ours) })
  return {
    ours: median(times.map((time) => time.ours)),
    theirs: median(times.map((time) => time.theirs)),
    speed: median(times.map((time) => time.theirs / time.ours))
  }
}
