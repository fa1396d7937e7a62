/**
 * The types of what the server sends: the encoded forms of the Gateway's Schemas. Page and server come from one build,
 * so nothing is decoded; only types are imported, and the page contains no Schema.
 */
import type * as AssetSchema from "../../../domain/Asset.js"
import type * as InquirySchema from "../../../domain/Inquiry.js"
import type * as LiveSchema from "../../../domain/Live.js"
import type * as LimitsSchema from "../../../domain/Limits.js"
import type * as MessageSchema from "../../../domain/Message.js"
import type * as ModelRefSchema from "../../../domain/ModelRef.js"
import type * as OfferSchema from "../../../domain/Offer.js"
import type * as PermissionSchema from "../../../domain/Permission.js"
import type * as RunSchema from "../../../domain/Run.js"
import type * as SessionSchema from "../../../domain/Session.js"
import type * as EventSchema from "../../../domain/SessionEvent.js"
import type * as HintSchema from "../../../domain/SessionHint.js"
import type * as PageSchema from "../../../domain/SessionPage.js"
import type * as ActivitySchema from "../../../domain/SessionActivity.js"
import type * as TimelineSchema from "../../../domain/Timeline.js"
import type * as Replies from "../../../services/gateway/Replies.js"

export type Session = typeof SessionSchema.Session.Encoded
export type Listed = typeof PageSchema.ListedSession.Encoded
export type SessionPage = typeof PageSchema.SessionPage.Encoded
export type OfferedAgent = typeof OfferSchema.OfferedAgent.Encoded
export type OfferedModel = typeof OfferSchema.OfferedModel.Encoded
export type Limits = LimitsSchema.Limits
export type ReasoningEffort = ModelRefSchema.ReasoningEffort
export type Hint = typeof HintSchema.SessionHint.Encoded
export type Activity = ActivitySchema.SessionActivity
export type Event = typeof EventSchema.SessionEvent.Encoded
export type EventType = Event["type"]
export type Snapshot = typeof Replies.Snapshot.Encoded
export type Run = typeof RunSchema.Run.Encoded
export type RunRef = typeof RunSchema.Ref.Encoded
export type StopReason = typeof RunSchema.StopReason.Encoded
export type TimelineRow = typeof TimelineSchema.TimelineRow.Encoded
export type Question = typeof PermissionSchema.Question.Encoded
export type Verdict = PermissionSchema.Verdict
export type Inquiry = typeof InquirySchema.Inquiry.Encoded
export type InquiryField = typeof InquirySchema.Field.Encoded
export type Values = typeof InquirySchema.Values.Encoded
export type Asset = typeof AssetSchema.Asset.Encoded
export type Draft = typeof LiveSchema.Draft.Encoded
export type Entry = typeof MessageSchema.Entry.Encoded
export type Message = typeof MessageSchema.Message.Encoded
export type Outcome = MessageSchema.Outcome
export type CallPart = typeof MessageSchema.CallPart.Encoded
export type FilePart = typeof MessageSchema.FilePart.Encoded
export type DiffPart = typeof MessageSchema.DiffPart.Encoded
export type Assistant = typeof MessageSchema.AssistantMessage.Encoded
export type Result = typeof MessageSchema.ResultMessage.Encoded

type Part = { readonly type: string }

export const isText = (part: Part): part is typeof MessageSchema.TextPart.Encoded => part.type === "text"
export const isReasoning = (part: Part): part is typeof MessageSchema.ReasoningPart.Encoded => part.type === "reasoning"
export const isCall = (part: Part): part is CallPart => part.type === "call"
export const isFile = (part: Part): part is FilePart => part.type === "file"
export const isDiff = (part: Part): part is DiffPart => part.type === "diff"
export const isJson = (part: Part): part is typeof MessageSchema.JsonPart.Encoded => part.type === "json"

/** The text of a message, its text parts joined. */
export const textOf = (message: Message): string => {
  if (message.role === "other") return ""
  if (message.role === "tool") return message.text
  return message.parts.flatMap((part) => (isText(part) ? [part.text] : [])).join("")
}
