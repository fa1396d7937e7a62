/**
 * Messages from elsewhere, such as an imported transcript: like the messages of a transcript, except that their call
 * ids are as their source wrote them.
 */
import { Schema } from "effect"
import type { NamedUnion } from "./Named.js"
import {
  AssistantMessage,
  CallPart,
  OpaquePart,
  OtherMessage,
  ReasoningPart,
  ResultMessage,
  TextPart,
  UserMessage
} from "./Message.js"

const callId = Schema.NonEmptyString.annotations({ description: "a call's id of at least 1 character" })

const ForeignCall = Schema.Struct({ ...CallPart.fields, callId }).annotations({ identifier: "ForeignCallPart" })
type ForeignCall = typeof ForeignCall.Type

const ForeignAssistant = Schema.Struct({
  ...AssistantMessage.fields,
  parts: Schema.Array(Schema.Union(TextPart, ReasoningPart, ForeignCall, OpaquePart))
}).annotations({ identifier: "ForeignAssistantMessage" })

const ForeignResult = Schema.Struct({ ...ResultMessage.fields, callId }).annotations({
  identifier: "ForeignResultMessage"
})

/** A message from elsewhere, whose call ids may be any texts that are not empty. */
export const ForeignMessage = Schema.Union(UserMessage, ForeignAssistant, ForeignResult, OtherMessage).annotations({
  identifier: "ForeignMessage"
})
export type ForeignMessage = NamedUnion<typeof ForeignMessage.Type>

export const isForeignCall = (part: { readonly type: string }): part is ForeignCall => part.type === "call"
