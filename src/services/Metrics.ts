/**
 * What an engine counts and measures, as Effect metrics. Times are in milliseconds. The library itself exports nothing.
 */
import { Metric, MetricBoundaries } from "effect"

/** A quarter of a millisecond, doubled up to half a minute. */
const times = MetricBoundaries.exponential({ start: 0.25, factor: 2, count: 18 })

/** How long a write waited in the lane until its group began, another process's lock included. */
export const writeWait = Metric.histogram("skein_write_wait", times, "Wait of a write in the lane, ms")

/** How long the permit was held for a group: the time for which the event loop stood still. */
export const writeHold = Metric.histogram("skein_write_hold", times, "Time that the write permit was held, ms")

export const writesPerCommit = Metric.histogram(
  "skein_writes_per_commit",
  MetricBoundaries.exponential({ start: 1, factor: 2, count: 10 }),
  "Writes that shared a commit"
)

/** The COMMIT alone, which waits for the disk. */
export const commitTime = Metric.histogram("skein_commit_time", times, "Time of a COMMIT, ms")

/** How often another process's lock was in the way. */
export const busyRetries = Metric.counter("skein_busy_retries", {
  description: "Tries that found another process's lock",
  incremental: true
})

/** Runs that this process's engines drive now. */
export const liveRuns = Metric.gauge("skein_live_runs", { description: "Runs being driven" })

/** From a tool's start to its end, tagged with `tool`. */
export const toolTime = Metric.histogram("skein_tool_time", times, "Time of a tool, ms")

/** From an event's time until a subscriber that waits for it has read it, by the wall clock. */
export const eventLag = Metric.histogram("skein_event_lag", times, "Lag of an event at a waiting subscriber, ms")

/** Runs whose write was refused because another engine had taken them over. */
export const fencedRuns = Metric.counter("skein_fenced_runs", {
  description: "Runs refused a write after a takeover",
  incremental: true
})

/** Runs taken over from engines that were dead or silent, tagged with `reason`. */
export const recoveredRuns = Metric.counter("skein_recovered_runs", {
  description: "Runs taken over",
  incremental: true
})
