/**
 * What becomes of a run that is taken over. Both stores run this rule.
 *
 * A run that takes its engine down with it each time is given up. A run that makes progress is not, however often
 * engines come and go: the count of takeovers starts again once its transcript has grown, and taking up a released run
 * is not counted at all.
 */
import { Schema } from "effect"
import type { TakeoverReason } from "./Lease.js"
import { type OpenCall, waitsForHuman } from "./OpenBatch.js"
import type { StopReason } from "./Run.js"

/** The takeovers of a run since it last made progress. */
export const Takeovers = Schema.Struct({
  count: Schema.NonNegativeInt,
  /** The transcript's head after the last of them; -1 when there was none. */
  head: Schema.Int
})
export type Takeovers = typeof Takeovers.Type

export const none: Takeovers = { count: 0, head: -1 }

/** How many times a run is taken over without progress before it is given up. */
const limit = 3

/** Milliseconds that may pass between the check of a silent engine's lease and its takeover. */
const lookMillis = 1_000

/**
 * Whether storage was held up between the check of a lease and its takeover. If so, signs of life were held up too, and
 * the check says nothing any more about an engine that was only silent.
 */
export const isStale = (reason: TakeoverReason, lookedAt: number, now: number): boolean =>
  reason === "lease-lost" && Math.abs(now - lookedAt) > lookMillis

type HeldCall = Pick<OpenCall, "questionId" | "state">

/** A run as it is found, and what the engine that takes it over wants. */
export interface FoundRun {
  readonly reason: TakeoverReason
  readonly recovery: "continue" | "end"
  readonly isDeleting: boolean
  /** Whether somebody asked to cancel it. */
  readonly isCancelled: boolean
  readonly takeovers: Takeovers
  readonly head: number
  readonly open: ReadonlyArray<HeldCall>
}

export type Fate =
  | { readonly _tag: "Ends"; readonly stopReason: StopReason; readonly detail: string | null }
  | {
      readonly _tag: "Continues"
      /** Whether an open call is closed; the others stay as they are. */
      readonly closes: (call: HeldCall) => boolean
      /** The run's count of takeovers from now on; null when this takeover is not counted. */
      readonly count: number | null
    }

const ends = (stopReason: StopReason, detail: string | null): Fate => ({ _tag: "Ends", stopReason, detail })

const endOf = ({ isCancelled, isDeleting, reason }: FoundRun): Fate => {
  if (reason !== "released") return ends(reason, null)
  if (isDeleting) return ends("deleted", null)
  return isCancelled
    ? ends("cancelled", null)
    : ends("crashed", "its engine was closed, and nobody went on with it in time")
}

export const fateOf = (found: FoundRun): Fate => {
  const { head, isCancelled, isDeleting, open, reason, recovery, takeovers } = found
  if (isDeleting || isCancelled) return endOf(found)
  if (recovery === "end") {
    return open.some(waitsForHuman)
      ? { _tag: "Continues", closes: (call) => !waitsForHuman(call), count: null }
      : endOf(found)
  }
  const closes = (call: HeldCall) => call.state === "started"
  if (reason === "released") return { _tag: "Continues", closes, count: null }
  const count = head > takeovers.head ? 1 : takeovers.count + 1
  return count > limit
    ? ends("crashed", `it was taken over ${limit} times and got no further`)
    : { _tag: "Continues", closes, count }
}
