/**
 * What a session does, in one word. Storage can tell all activities except one: whether a run was left must be found
 * out each time, because nobody writes down that an engine has died.
 */
import { Schema } from "effect"

/** An activity, as far as storage can tell. */
export type StoredActivity = "idle" | "queued" | "running" | "asks"

/**
 * - `idle`: no run holds the session and none waits.
 * - `queued`: no run holds it, and one waits in the queue.
 * - `running`: a run holds it.
 * - `asks`: a run holds it and a question waits for an answer, which makes the run go on even if no engine runs it.
 * - `crashed`: a run that no engine runs holds it: its engine is known to be dead, has lost its lease, or has released
 *   the run.
 */
export const SessionActivity = Schema.Literal("idle", "queued", "running", "asks", "crashed")
export type SessionActivity = typeof SessionActivity.Type

/** Returns a session's activity from what storage can tell and whether its run was left. */
export const of = (stored: StoredActivity, isLeft: boolean): SessionActivity =>
  stored === "running" && isLeft ? "crashed" : stored

/** Returns the activities that storage has for sessions with one of these activities. */
export const storedOf = (activities: ReadonlyArray<SessionActivity>): ReadonlyArray<StoredActivity> => [
  ...new Set(activities.map((activity) => (activity === "crashed" ? "running" : activity)))
]

/** Whether the engines must be checked to tell these activities from the others. */
export const dependsOnEngines = (activities: ReadonlyArray<SessionActivity>): boolean =>
  activities.includes("running") !== activities.includes("crashed")
