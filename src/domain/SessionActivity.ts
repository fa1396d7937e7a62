/**
 * What a session does, in one word. Storage can tell all but one: whether a run was left is found out by whoever looks,
 * as nobody writes down that an engine has died.
 */
import { Schema } from "effect"

/** What is stored of it. */
export type StoredActivity = "idle" | "queued" | "running" | "asks"

/**
 * - `idle`: no run holds the session and none waits.
 * - `queued`: none holds it, one waits for its turn.
 * - `running`: a run holds it.
 * - `asks`: a run holds it and a question waits for an answer, whoever runs it: the answer brings it on.
 * - `crashed`: a run holds it that nobody runs: its engine is known to be dead, has lost its lease, or has released it.
 */
export const SessionActivity = Schema.Literal("idle", "queued", "running", "asks", "crashed")
export type SessionActivity = typeof SessionActivity.Type

/** What a session does whose run was left, or was not. */
export const of = (stored: StoredActivity, isLeft: boolean): SessionActivity =>
  stored === "running" && isLeft ? "crashed" : stored

/** What is stored of sessions that do one of these. */
export const storedOf = (activities: ReadonlyArray<SessionActivity>): ReadonlyArray<StoredActivity> => [
  ...new Set(activities.map((activity) => (activity === "crashed" ? "running" : activity)))
]

/** Whether it takes a look at the engines to tell these from the others. */
export const dependsOnEngines = (activities: ReadonlyArray<SessionActivity>): boolean =>
  activities.includes("running") !== activities.includes("crashed")
