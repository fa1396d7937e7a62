/** A run: one execution of a turn, from a user message to the final answer or to one explicit stop reason. */
import { Schema } from "effect"
import { id } from "./Id.js"
import { JsonRecord } from "./Json.js"
import { Cursor, SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"
import { Total } from "./Usage.js"

export const RunId = id("RunId")
export type RunId = typeof RunId.Type
export { RunId as Id }

/**
 * Why a run ended.
 * - `completed`: the model answered. `refused`: it declined to (a content filter). `output-limit`: its answer was cut.
 * - `cancelled`: somebody stopped it. `deleted`: the session was deleted under it.
 * - `failed`: the model or the storage failed; `detail` says how. `crashed`: its process died.
 * - `step-limit`, `repeated-calls`: Skein stopped a run that did not come to an end.
 * - `lease-lost`: another process took the session over.
 */
export const StopReason = Schema.Literal(
  "completed",
  "refused",
  "output-limit",
  "cancelled",
  "deleted",
  "failed",
  "crashed",
  "step-limit",
  "repeated-calls",
  "lease-lost"
)
export type StopReason = typeof StopReason.Type

/** `crashed` is derived when a running run's owner is known to be dead; it is stored when the run is recovered. */
export const State = Schema.Literal("queued", "running", "ended")
export type State = typeof State.Type

export const Run = Schema.Struct({
  id: RunId,
  sessionId: SessionId,
  state: State,
  stopReason: Schema.NullOr(StopReason),
  /** What a person should know about the stop reason, when there is more to say. */
  detail: Schema.NullOr(Schema.String),
  /** What the host gave to `send`; tools can read it. */
  metadata: JsonRecord,
  usage: Total,
  createdAt: Timestamp,
  startedAt: Schema.NullOr(Timestamp),
  endedAt: Schema.NullOr(Timestamp)
})
export type Run = typeof Run.Type

/**
 * Points at a run. `cursor` stands just before the run's first event, so that a subscription from it sees the whole
 * run whenever it begins.
 */
export const Ref = Schema.Struct({ sessionId: SessionId, runId: RunId, cursor: Cursor })
export type Ref = typeof Ref.Type
