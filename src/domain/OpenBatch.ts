/** The open batch as clients see it: its calls without a result, and the results that wait beyond the head. */
import { Schema } from "effect"
import { CallId, Entry } from "./Message.js"
import { QuestionId } from "./Permission.js"
import { Seq } from "./Session.js"

/** A call of the open batch that has no result yet. */
export const OpenCall = Schema.Struct({
  seq: Seq,
  index: Schema.NonNegativeInt,
  callId: CallId,
  name: Schema.String,
  state: Schema.Literal("pending", "started"),
  /** The newest question that was asked about the call, answered or not; null when none was. */
  questionId: Schema.NullOr(QuestionId)
})
export type OpenCall = typeof OpenCall.Type

/** Whether a call has not started because a human was asked about it. */
export const waitsForHuman = ({ questionId, state }: OpenCall): boolean => state === "pending" && questionId !== null

export const OpenBatch = Schema.Struct({
  calls: Schema.Array(OpenCall),
  /** Results that wait beyond the head for earlier ones. */
  stored: Schema.Array(Entry)
})
export type OpenBatch = typeof OpenBatch.Type
