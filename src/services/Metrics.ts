/**
 * What an engine counts and measures, as Effect metrics. Times are in milliseconds, and say so with the tag `unit`, which
 * exporters of OpenTelemetry read. The library itself exports nothing.
 */
import { Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"

/** Counts times by a quarter of a millisecond, doubled up to a number of seconds. */
const time = (name: string, description: string, upToSeconds = 30) => {
  const count = 2 + Math.ceil(Math.log2(upToSeconds * 1000 * 4))
  const key = MetricKey.histogram(name, MetricBoundaries.exponential({ start: 0.25, factor: 2, count }), description)
  return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, [MetricLabel.make("unit", "ms")]))
}

/** How long a write waited in the lane until its group began, another process's lock included. */
export const writeWait = time("skein_write_wait", "Wait of a write in the lane")

/** How long the permit was held for a group: the time for which the event loop stood still. */
export const writeHold = time("skein_write_hold", "Time that the write permit was held")

export const writesPerCommit = Metric.histogram(
  "skein_writes_per_commit",
  MetricBoundaries.exponential({ start: 1, factor: 2, count: 10 }),
  "Writes that shared a commit"
)

/** The COMMIT alone, which waits for the disk. */
export const commitTime = time("skein_commit_time", "Time of a COMMIT")

/** How often another process's lock was in the way. */
export const busyRetries = Metric.counter("skein_busy_retries", {
  description: "Tries that found another process's lock",
  incremental: true
})

/** Runs that this process's engines drive now. */
export const liveRuns = Metric.gauge("skein_live_runs", { description: "Runs being driven" })

/** From a tool's start to its end, tagged with `tool`. Most tools may take ten minutes. */
export const toolTime = time("skein_tool_time", "Time of a tool", 600)

/** From an event's time until a subscriber that waits for it has read it, by the wall clock. */
export const eventLag = time("skein_event_lag", "Lag of an event at a waiting subscriber")

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
