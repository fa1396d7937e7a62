/** A run: one execution of a turn, from a user message to the final answer or to one explicit stop reason. */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import { Actor } from "./Actor.js"
import { id } from "./Id.js"
import { JsonRecord } from "./Json.js"
import * as SafeText from "./SafeText.js"
import { Cursor, SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"
import { Total } from "./Usage.js"

/** Identifies a run. */
export const RunId = id("RunId")
export type RunId = typeof RunId.Type
export { RunId as Id }

/**
 * Why a run ended.
 * - `completed`: the model answered. `refused`: it declined to (a content filter). `output-limit`: its answer was cut.
 * - `cancelled`: somebody stopped it. `deleted`: the session was deleted under it.
 * - `failed`: the model or the storage failed; `detail` says how. `crashed`: its engine died or was closed, and the run
 *   did not go on.
 * - `step-limit`, `repeated-calls`: Skein stopped a run that did not come to an end.
 * - `lease-lost`: another process took the session over.
 * - `other`: for a reason that another version of Skein knows; `detail` names it.
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
  "lease-lost",
  "other"
)
export type StopReason = typeof StopReason.Type

/** `crashed` is derived when a running run's engine is known to be dead; it is stored when the run is recovered. */
export const State = Schema.Literal("queued", "running", "ended")
export type State = typeof State.Type

/**
 * A key that a client chooses: a request with this key takes effect once, however often it is repeated. 1 to 256
 * characters, without NUL or half surrogate pairs, because a database may store such a key as another one.
 */
export const IdempotencyKey = Schema.NonEmptyString.pipe(
  Schema.maxLength(256),
  Schema.filter(SafeText.isStorable, {
    description: "a text of 1 to 256 characters without NUL or half surrogate pairs",
    arbitrary: () => (fc) => fc.string({ minLength: 1, maxLength: 256 })
  })
)

const fields = {
  id: RunId,
  sessionId: SessionId,
  /** Who sent its message, or resumed the session; null when nobody said. */
  actor: Schema.NullOr(Actor),
  /** What the host passed to `send`; tools can read it. */
  metadata: JsonRecord,
  /** The JSON Schema of the answer that was asked for; null for a text of any form. */
  output: Schema.NullOr(JsonRecord),
  usage: Total,
  /** The durable event just before the run's first one. */
  cursor: Cursor,
  createdAt: Timestamp
}

/** A run that waits in the queue. */
export const QueuedRun = Schema.Struct({
  ...fields,
  state: Schema.Literal("queued"),
  stopReason: Schema.Null,
  detail: Schema.Null,
  startedAt: Schema.Null,
  endedAt: Schema.Null
}).annotations({ identifier: "QueuedRun" })
export type QueuedRun = Named<typeof QueuedRun.Type, { readonly usage: Total }>

/** A run that holds its session. */
export const RunningRun = Schema.Struct({
  ...fields,
  state: Schema.Literal("running"),
  stopReason: Schema.Null,
  detail: Schema.Null,
  startedAt: Timestamp,
  /** When its engine was closed: nobody runs it until another engine takes it up. Null while an engine runs it. */
  releasedAt: Schema.NullOr(Timestamp),
  endedAt: Schema.Null
}).annotations({ identifier: "RunningRun" })
export type RunningRun = Named<typeof RunningRun.Type, { readonly usage: Total }>

/** A run that has ended. */
export const EndedRun = Schema.Struct({
  ...fields,
  state: Schema.Literal("ended"),
  stopReason: StopReason,
  /** What a person should know about the stop reason, when there is more to say. */
  detail: Schema.NullOr(Schema.String),
  /** Null for a run that was cancelled while it was queued. */
  startedAt: Schema.NullOr(Timestamp),
  endedAt: Timestamp
}).annotations({ identifier: "EndedRun" })
export type EndedRun = Named<typeof EndedRun.Type, { readonly usage: Total }>

/** A run, by its state. */
export const Run = Schema.Union(QueuedRun, RunningRun, EndedRun).annotations({ identifier: "Run" })
export type Run = QueuedRun | RunningRun | EndedRun

/** Whether a run is in a state. */
export const isIn =
  <S extends State>(state: S) =>
  (run: Run): run is Extract<Run, { readonly state: S }> =>
    run.state === state

/**
 * Points at a run. `cursor` is just before the run's first event, so that a subscription from there sees the whole run,
 * whenever the subscription begins.
 */
export const Ref = Schema.Struct({ sessionId: SessionId, runId: RunId, cursor: Cursor }).annotations({
  identifier: "RunRef"
})
export type Ref = Named<typeof Ref.Type>

/** Returns the ref of a run. */
export const refOf = ({ cursor, id, sessionId }: Run): Ref => ({ sessionId, runId: id, cursor })

/**
 * Selects runs of a session, newest first: the runs before run `before`, or the run of an idempotency key.
 */
export const RunQuery = Schema.Struct({
  sessionId: SessionId,
  before: Schema.optional(RunId),
  idempotencyKey: Schema.optional(IdempotencyKey),
  /** Maximum runs, 1 to 500. Defaults to 50. */
  limit: Schema.optional(Schema.Int.pipe(Schema.between(1, 500, { description: "a whole number from 1 to 500" })))
}).annotations({ identifier: "RunQuery" })
export type RunQuery = Named<typeof RunQuery.Type>
