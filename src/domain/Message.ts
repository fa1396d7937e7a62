/**
 * What a transcript is made of. The encoded form of `Message` is the stored form, kept for years: fields are added,
 * never changed. A stored row is decoded for reading and never encoded again, so that fields unknown to this version
 * survive in it; a part of an unknown type is read as an `OpaquePart`, a message of an unknown role as an
 * `OtherMessage` (see `Stored`).
 */
import { Schema } from "effect"
import type { Named, NamedUnion } from "./Named.js"
import { Actor } from "./Actor.js"
import { AssetId } from "./Asset.js"
import { id } from "./Id.js"
import * as Opaque from "./Opaque.js"
import { RunId } from "./Run.js"
import { Seq } from "./Session.js"
import { Timestamp } from "./Timestamp.js"
import { Usage } from "./Usage.js"
import { Word } from "./Word.js"

/** Unique among all calls; the provider's own id is metadata of the part. */
export const CallId = id("CallId")
export type CallId = typeof CallId.Type

/** The id that an appended call had at its source, when that is not a valid `CallId`. */
const foreignCallId = Schema.optionalWith(Schema.String, { exact: true })

/** Opaque data by vendor, sent back to the same vendor as it came (signatures of reasoning, item ids). */
export const ProviderMetadata = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type ProviderMetadata = typeof ProviderMetadata.Type

const providerMetadata = Schema.optionalWith(ProviderMetadata, { exact: true })

/** A text, as it was written. */
export const TextPart = Schema.Struct({
  type: Schema.Literal("text"),
  text: Schema.String,
  providerMetadata
}).annotations({ identifier: "TextPart" })
export type TextPart = Named<typeof TextPart.Type>

/** What a model thought before it answered. */
export const ReasoningPart = Schema.Struct({
  type: Schema.Literal("reasoning"),
  text: Schema.String,
  providerMetadata
}).annotations({ identifier: "ReasoningPart" })
export type ReasoningPart = Named<typeof ReasoningPart.Type>

/** An image or any other file, by asset id. */
export const FilePart = Schema.Struct({
  type: Schema.Literal("file"),
  assetId: AssetId,
  mediaType: Schema.String,
  name: Schema.optionalWith(Schema.String, { exact: true })
}).annotations({ identifier: "FilePart" })
export type FilePart = Named<typeof FilePart.Type>

/** A tool call as the model asked for it; `input` is the raw text, which need not parse. */
export const CallPart = Schema.Struct({
  type: Schema.Literal("call"),
  callId: CallId,
  foreignCallId,
  name: Schema.String,
  input: Schema.String,
  providerCallId: Schema.optionalWith(Schema.String, { exact: true }),
  providerMetadata
}).annotations({ identifier: "CallPart" })
export type CallPart = Named<typeof CallPart.Type>

/** A value that a tool returned for programs. No model is shown it. */
export const JsonPart = Schema.Struct({ type: Schema.Literal("json"), value: Schema.Unknown }).annotations({
  identifier: "JsonPart"
})
export type JsonPart = Named<typeof JsonPart.Type>

/** A file that a tool changed, for people. No model is shown it. */
export const DiffPart = Schema.Struct({
  type: Schema.Literal("diff"),
  path: Schema.String,
  /** What the file held; null when it did not exist. */
  before: Schema.NullOr(Schema.String),
  after: Schema.String
}).annotations({ identifier: "DiffPart" })
export type DiffPart = Named<typeof DiffPart.Type>

/** A part written by another version of Skein. */
export const OpaquePart = Opaque.partBut("text", "reasoning", "file", "call").annotations({ identifier: "OpaquePart" })
export type OpaquePart = { readonly [Field in keyof typeof OpaquePart.Type]: (typeof OpaquePart.Type)[Field] }

/** What a user sends: texts and files. */
export const UserMessage = Schema.Struct({
  role: Schema.Literal("user"),
  parts: Schema.Array(Schema.Union(TextPart, FilePart, OpaquePart))
}).annotations({ identifier: "UserMessage" })
export type UserMessage = Named<
  typeof UserMessage.Type,
  { readonly parts: ReadonlyArray<TextPart | FilePart | OpaquePart> }
>

/**
 * Why the model ended its step. `paused`: the provider interrupted the answer and goes on when it is asked again.
 * `other`: the provider, or another version of Skein, stated a reason that is not in this list.
 */
export const FinishReason = Schema.Literal("stop", "length", "content-filter", "tool-calls", "paused", "error", "other")
export type FinishReason = typeof FinishReason.Type

/** Names the model that wrote something. */
const ModelName = Schema.Struct({ provider: Schema.String, model: Schema.String }).annotations({
  identifier: "ModelName"
})

/** What a model wrote in one step: texts, reasoning and calls, in the order in which it wrote them. */
export const AssistantMessage = Schema.Struct({
  role: Schema.Literal("assistant"),
  parts: Schema.Array(Schema.Union(TextPart, ReasoningPart, CallPart, OpaquePart)),
  /** Which model wrote it: reasoning and metadata go back to this vendor only. */
  model: ModelName,
  finish: FinishReason,
  usage: Usage,
  /** The step broke off: this is what had arrived. A partial message holds no calls. */
  partial: Schema.optionalWith(Schema.Literal(true), { exact: true })
}).annotations({ identifier: "AssistantMessage" })
export type AssistantMessage = Named<
  typeof AssistantMessage.Type,
  { readonly parts: ReadonlyArray<TextPart | ReasoningPart | CallPart | OpaquePart>; readonly usage: Usage }
>

/**
 * How a call ended. `interrupted`: it had started and what it did is unknown. `never-started`: it did nothing at all.
 * `other`: in a way that another version of Skein knows.
 */
export const Outcome = Schema.Literal(
  "success",
  "failure",
  "defect",
  "timeout",
  "invalid-input",
  "unknown-tool",
  "denied",
  "interrupted",
  "never-started",
  "other"
)
export type Outcome = typeof Outcome.Type

/** A part that a result has besides its text. */
export const ResultPart = Schema.Union(
  FilePart,
  JsonPart,
  DiffPart,
  Opaque.partBut("file", "json", "diff").annotations({ identifier: "OpaqueResultPart" })
).annotations({ identifier: "ResultPart" })
export type ResultPart = NamedUnion<typeof ResultPart.Type>

/** The one result of one call. */
export const ResultMessage = Schema.Struct({
  role: Schema.Literal("tool"),
  callId: CallId,
  foreignCallId,
  name: Schema.String,
  outcome: Outcome,
  /** What every model reads. */
  text: Schema.String,
  /** The asset that holds the whole text, when `text` was cut to the limit. */
  assetId: Schema.optionalWith(AssetId, { exact: true }),
  parts: Schema.optionalWith(Schema.Array(ResultPart), { exact: true })
}).annotations({ identifier: "ResultMessage" })
export type ResultMessage = Named<typeof ResultMessage.Type, { readonly parts: ReadonlyArray<ResultPart> }>

/** Who wrote a message; "other" for a role that another version of Skein knows. */
export const Role = Schema.Literal("user", "assistant", "tool", "other")
export type Role = typeof Role.Type

const isRole = Schema.is(Role)

/** A message of another version of Skein, with a role that this version does not know. It is not sent to any model. */
export const OtherMessage = Schema.Struct({
  role: Schema.Literal("other"),
  unknownRole: Word,
  /** All of it, as it is stored. */
  stored: Schema.Record({ key: Schema.String, value: Schema.Unknown })
}).pipe(
  Schema.filter(({ stored, unknownRole }) => stored["role"] === unknownRole && !isRole(unknownRole), {
    identifier: "OtherMessage",
    description: "a message as it is stored, of an unknown role",
    arbitrary: () => (fc) =>
      fc
        .tuple(fc.constantFrom("critic", "note"), fc.string())
        .map(([role, text]) => ({ role: "other" as const, unknownRole: role, stored: { role, text } }))
  })
)
export type OtherMessage = Named<typeof OtherMessage.Type>

/** A message of a transcript. */
export const Message = Schema.Union(UserMessage, AssistantMessage, ResultMessage, OtherMessage).annotations({
  identifier: "Message"
})
export type Message = UserMessage | AssistantMessage | ResultMessage | OtherMessage

/** A message at its place in the transcript. */
export const Entry = Schema.Struct({
  seq: Seq,
  /** The run that wrote it; null for a message that a host appended outside any run. */
  runId: Schema.NullOr(RunId),
  /** Who sent or appended it; null when nobody said, and for what a run wrote. */
  actor: Schema.NullOr(Actor),
  at: Timestamp,
  message: Message
}).annotations({ identifier: "Entry" })
export type Entry = Named<typeof Entry.Type, { readonly message: Message }>

/** Whether a part is a call. */
export const isCall = (part: { readonly type: string }): part is CallPart => part.type === "call"
/** Whether a part is a file. */
export const isFile = (part: { readonly type: string }): part is FilePart => part.type === "file"
/** Whether a part is a text. */
export const isText = (part: { readonly type: string }): part is TextPart => part.type === "text"
/** Whether a part is reasoning. */
export const isReasoning = (part: { readonly type: string }): part is ReasoningPart => part.type === "reasoning"
/** Whether a part is a diff. */
export const isDiff = (part: { readonly type: string }): part is DiffPart => part.type === "diff"

/** The calls that a message asks for, in order; none for other roles. */
export const callsOf = (message: Message): ReadonlyArray<CallPart> =>
  message.role === "assistant" ? message.parts.filter(isCall) : []

/** The text of a message, its text parts joined; empty for a message of an unknown role. */
export const textOf = (message: Message): string => {
  if (message.role === "other") return ""
  if (message.role === "tool") return message.text
  return message.parts.flatMap((part) => (isText(part) ? [part.text] : [])).join("")
}

/** The files that a message names, in order. */
export const filesOf = (message: Message): ReadonlyArray<FilePart> =>
  message.role === "user" || message.role === "tool"
    ? (message.parts ?? []).flatMap((part) => (isFile(part) ? [part] : []))
    : []

/** A user message of one text. */
export const userText = (text: string): UserMessage => ({ role: "user", parts: [{ type: "text", text }] })
