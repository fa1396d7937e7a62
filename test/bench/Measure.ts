/** What work takes that is done in turns with what it is compared with, so that a slow moment of the machine hits both. */
import { performance } from "node:perf_hooks"
import { cpuUsage } from "node:process"

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

interface Spent {
  readonly millis: number
  /** Milliseconds of all the process's threads. */
  readonly cpu: number
}

const spent = async (work: () => Promise<unknown> | void): Promise<Spent> => {
  const before = cpuUsage()
  const millis = await timed(work)
  const { system, user } = cpuUsage(before)
  return { millis, cpu: (system + user) / 1000 }
}

export interface Pair {
  /** Median milliseconds of ours and of what it is compared with. */
  readonly ours: number
  readonly theirs: number
  /** Median of their time over our time, round by round: how many times as fast ours is. */
  readonly speed: number
  /** Median of our CPU time over theirs: how many times as much ours costs. */
  readonly cost: number
}

/** One round to warm up, then `rounds` in which each is timed once. */
export const pair = async (
  rounds: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown> | void
): Promise<Pair> => {
  await ours()
  await theirs()
  const all: Array<{ readonly ours: Spent; readonly theirs: Spent }> = []
  for (let round = 0; round < rounds; round++) all.push({ theirs: await spent(theirs), ours: await spent(ours) })
  return {
    ours: median(all.map(({ ours }) => ours.millis)),
    theirs: median(all.map(({ theirs }) => theirs.millis)),
    speed: median(all.map(({ ours, theirs }) => theirs.millis / ours.millis)),
    cost: median(all.map(({ ours, theirs }) => ours.cpu / theirs.cpu))
  }
}
