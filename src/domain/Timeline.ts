/**
 * What a session did and when, without what was said: one short row for each step and each call, in the order of the
 * transcript. It is kept as long as the transcript is, longer than the events.
 */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import { CallDisplay } from "./CallDisplay.js"
import { AssistantMessage, CallId, Outcome } from "./Message.js"
import { RunId } from "./Run.js"
import { Cursor, Seq } from "./Session.js"
import { Timestamp } from "./Timestamp.js"

/** One model call, at the place of its message. */
export const TimelineStep = Schema.Struct({
  type: Schema.Literal("step"),
  seq: Seq,
  /** Null for a message that a host appended. */
  runId: Schema.NullOr(RunId),
  /** Null when that is unknown, such as for a message that a host appended. */
  startedAt: Schema.NullOr(Timestamp),
  endedAt: Timestamp,
  model: AssistantMessage.fields.model,
  finish: AssistantMessage.fields.finish,
  usage: AssistantMessage.fields.usage,
  /** Whether the step broke off. */
  partial: Schema.Boolean
}).annotations({ identifier: "TimelineStep" })
export type TimelineStep = Named<typeof TimelineStep.Type>

/** One call, at the place of its result. */
export const TimelineCall = Schema.Struct({
  type: Schema.Literal("call"),
  seq: Seq,
  runId: Schema.NullOr(RunId),
  /** The place of the step that asked for it. */
  step: Seq,
  callId: CallId,
  name: Schema.String,
  display: CallDisplay,
  /** When its step was stored. */
  askedAt: Timestamp,
  /** Null for a call that was not started, or when that is unknown. */
  startedAt: Schema.NullOr(Timestamp),
  /** When its result was stored; null while it has none. */
  endedAt: Schema.NullOr(Timestamp),
  outcome: Schema.NullOr(Outcome),
  /**
   * The cursor of the event that reported its result: it puts calls in the order in which they finished. Null while the
   * call has no result, for results that a host appended, and for results that earlier versions stored.
   */
  finished: Schema.NullOr(Cursor)
}).annotations({ identifier: "TimelineCall" })
export type TimelineCall = Named<typeof TimelineCall.Type>

/** A step or a call. */
export const TimelineRow = Schema.Union(TimelineStep, TimelineCall).annotations({ identifier: "TimelineRow" })
export type TimelineRow = TimelineStep | TimelineCall
