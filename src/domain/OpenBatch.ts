/** The open batch as clients see it: its calls without a result, and the results that wait beyond the head. */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import * as Batch from "./Batch.js"
import * as CallDisplay from "./CallDisplay.js"
import { type AssistantMessage, CallId, callsOf, Entry } from "./Message.js"
import { QuestionId } from "./Permission.js"
import { Seq } from "./Session.js"
import { Timestamp } from "./Timestamp.js"

/** A call of the open batch that has no result yet. */
export const OpenCall = Schema.Struct({
  seq: Seq,
  index: Schema.NonNegativeInt,
  callId: CallId,
  name: Schema.String,
  state: Schema.Literal("pending", "started"),
  /** The newest question that was asked about the call, answered or not; null when none was. */
  questionId: Schema.NullOr(QuestionId),
  /** When it was started; null while it is pending. */
  startedAt: Schema.NullOr(Timestamp),
  display: CallDisplay.CallDisplay
}).annotations({ identifier: "OpenCall" })
export type OpenCall = Named<typeof OpenCall.Type>

/** The calls that the message at `opener` asks for, with their displays by index. None has started. */
export const open = (
  opener: Seq,
  message: AssistantMessage,
  displays: ReadonlyArray<CallDisplay.CallDisplay> = []
): ReadonlyArray<OpenCall> =>
  callsOf(message).map(({ callId, name }, index) => ({
    seq: Batch.seqOf(opener, index),
    index,
    callId,
    name,
    state: "pending",
    questionId: null,
    startedAt: null,
    display: displays[index] ?? CallDisplay.none
  }))

/** Whether a call has not started because a human was asked about it. */
export const waitsForHuman = ({ questionId, state }: Pick<OpenCall, "questionId" | "state">): boolean =>
  state === "pending" && questionId !== null

/** The calls of the open batch that have no result yet, and the stored results that the head has not passed. */
export const OpenBatch = Schema.Struct({
  calls: Schema.Array(OpenCall),
  /** Results that wait beyond the head for earlier results. */
  stored: Schema.Array(Entry)
}).annotations({ identifier: "OpenBatch" })
export type OpenBatch = Named<
  typeof OpenBatch.Type,
  { readonly calls: ReadonlyArray<OpenCall>; readonly stored: ReadonlyArray<Entry> }
>
