/** Measures work in alternation with what it is compared with, so that a slow moment of the machine affects both. */
import { Buffer } from "node:buffer"
import { openSync, readSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { cpuUsage } from "node:process"
import { clearInterval, setInterval } from "node:timers"
import { setTimeout as sleep } from "node:timers/promises"

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

export interface Spent {
  readonly millis: number
  /** CPU milliseconds of all threads of the process. */
  readonly cpu: number
}

export const spent = async (work: () => Promise<unknown> | void): Promise<Spent> => {
  const before = cpuUsage()
  const millis = await timed(work)
  const { system, user } = cpuUsage(before)
  return { millis, cpu: (system + user) / 1000 }
}

export interface Pair {
  /** Median milliseconds of ours and of what it is compared with. */
  readonly ours: number
  readonly theirs: number
  /** Median over the rounds of their time divided by ours: how many times as fast ours is. */
  readonly speed: number
  /** Median over the rounds of our CPU time divided by theirs: how many times as much ours costs. */
  readonly cost: number
  /** The longest time in milliseconds for which ours held the event loop. */
  readonly stretch: number
}

/** Milliseconds after which a timer has certainly fired. */
const settled = 4

/**
 * Milliseconds that this thread has waited for a processor so far. Linux counts them; elsewhere all time that the
 * process did not spend on a processor counts as waited.
 */
const readyMillis = (): (() => number) => {
  try {
    const file = openSync("/proc/thread-self/schedstat", "r")
    const buffer = Buffer.alloc(128)
    return () => Number(buffer.toString("latin1", 0, readSync(file, buffer, 0, 128, 0)).split(" ")[1]) / 1e6
  } catch {
    const start = performance.now()
    return () => {
      const { system, user } = cpuUsage()
      return performance.now() - start - (system + user) / 1000
    }
  }
}

const waited = readyMillis()

/**
 * The longest time in milliseconds by which a timer of 1 ms was late during the work. Time in which this thread waited
 * for a processor does not count: that delay is the fault of a busy machine.
 */
export const longestStretch = async <A>(
  work: () => Promise<A>
): Promise<{ readonly value: A; readonly stretch: number }> => {
  let last = { time: performance.now(), waited: waited() }
  let stretch = 0
  const timer = setInterval(() => {
    const now = { time: performance.now(), waited: waited() }
    stretch = Math.max(stretch, now.time - last.time - Math.max(0, now.waited - last.waited) - 1)
    last = now
  }, 1)
  await sleep(settled)
  const value = await work()
  // Work that ends within its own stretch is noticed only by the next timer.
  await sleep(settled)
  clearInterval(timer)
  return { value, stretch }
}

/** One round to warm up, then `rounds` in which each is timed once. */
export const pair = async (
  rounds: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown> | void
): Promise<Pair> => {
  await ours()
  await theirs()
  const all: Array<{ readonly ours: Spent; readonly theirs: Spent; readonly stretch: number }> = []
  for (let round = 0; round < rounds; round++) {
    const spentByThem = await spent(theirs)
    const { stretch, value } = await longestStretch(() => spent(ours))
    all.push({ theirs: spentByThem, ours: value, stretch })
  }
  return {
    ours: median(all.map(({ ours }) => ours.millis)),
    theirs: median(all.map(({ theirs }) => theirs.millis)),
    speed: median(all.map(({ ours, theirs }) => theirs.millis / ours.millis)),
    cost: median(all.map(({ ours, theirs }) => ours.cpu / theirs.cpu)),
    stretch: Math.max(...all.map(({ stretch }) => stretch))
  }
}
