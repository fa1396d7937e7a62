/**
 * The lines of an export: one JSON value a line, in this order.
 *
 *   head
 *   for each session:  session, its runs, messages, questions, grants, keys of appended messages,
 *                      its assets, each with its content in pieces, and the session's end with the counts
 *   end, with the number of lines before it and the SHA-256 over their bytes
 *
 * A value that a later version may have written in its own words is exported as it is stored (`Kept`): it is decoded
 * for reading, and never encoded again. Events are not exported, only the event numbers that other lines refer to.
 */
import { ParseResult, Predicate, Schema } from "effect"
import { Actor } from "./Actor.js"
import { AgentName } from "./AgentName.js"
import { AssetId } from "./Asset.js"
import { JsonRecord } from "./Json.js"
import { exactly } from "./ExactCheck.js"
import { CallId, Message as AnyMessage } from "./Message.js"
import { QuestionId } from "./Permission.js"
import { Placement } from "./Placement.js"
import { IdempotencyKey, RunId } from "./Run.js"
import * as SafeText from "./SafeText.js"
import * as SchemaWords from "./SchemaWords.js"
import { Owner, Seq, SessionId } from "./Session.js"
import * as Stored from "./Stored.js"
import { Timestamp } from "./Timestamp.js"
import { Total } from "./Usage.js"
import { Word } from "./Word.js"

/** The format. Any other is refused. */
export const version = 1

/** A stored value: as it is read, and as it is stored. */
export interface Kept<out A> {
  readonly value: A
  readonly stored: unknown
}

/** `isExact` recognizes values that are read just as they are stored. */
const kept = <A, I>(
  schema: Schema.Schema<A, I>,
  isExact: (stored: unknown) => stored is A = (_): _ is A => false
): Schema.Schema<Kept<A>, unknown> => {
  const decode = ParseResult.decodeUnknown(schema)
  const isKept = (input: unknown): input is Kept<A> =>
    Predicate.hasProperty(input, "value") && Predicate.hasProperty(input, "stored")
  return Schema.transformOrFail(Schema.Unknown, Schema.declare(isKept), {
    strict: true,
    decode: (stored) =>
      isExact(stored)
        ? ParseResult.succeed({ value: stored, stored })
        : ParseResult.map(decode(stored), (value) => ({ value, stored })),
    encode: ({ stored }) => ParseResult.succeed(stored)
  }).annotations({ description: SchemaWords.allowed(schema.ast) })
}

/** A text that a database column keeps unchanged. */
const Text = Schema.String.pipe(
  Schema.filter(SafeText.isStorable, { description: "a text without NUL or half surrogate pairs" })
)

/** Far below the largest exact number, because the session keeps counting from there. */
const Cursor = Schema.Int.pipe(Schema.between(0, 2 ** 48, { description: "a whole number from 0 to 2^48" }))

const Count = Schema.NonNegativeInt

/** The first line: what follows, in which format, and when it was made. */
export const Head = Schema.Struct({ type: Schema.Literal("skein.export"), version: Count, madeAt: Timestamp })
export type Head = typeof Head.Type

/** Earlier versions exported no cost. */
const Usage = Schema.Struct({
  ...Total.fields,
  costMicroUsd: Schema.optionalWith(Total.fields.costMicroUsd, { default: () => 0 })
})

/** A session's own fields. What lies beyond `head` was not settled, and is left out. */
export const Session = Schema.Struct({
  type: Schema.Literal("session"),
  id: SessionId,
  title: Text,
  named: Schema.Boolean,
  owner: Schema.NullOr(Owner),
  workdir: Schema.NullOr(Text.pipe(Schema.nonEmptyString())),
  placement: Schema.optionalWith(Schema.NullOr(Placement), { default: () => null }),
  parent: Schema.NullOr(SessionId),
  agent: Schema.NullOr(AgentName),
  model: Schema.NullOr(kept(Stored.ModelRef)),
  metadata: JsonRecord,
  /** The usage of the steps up to the head. */
  usage: Usage,
  head: Count,
  /** The newest event. */
  cursor: Cursor,
  createdAt: Timestamp,
  updatedAt: Timestamp,
  /** The run that was going on, and how many were waiting. */
  going: Schema.NullOr(RunId),
  waiting: Count
})
export type Session = typeof Session.Type

/** A run that has ended. A run that was going on is exported as `crashed`: it does not go on where it is imported. */
export const Run = Schema.Struct({
  type: Schema.Literal("run"),
  id: RunId,
  actor: Schema.NullOr(Actor),
  stopReason: Word,
  detail: Schema.NullOr(Text),
  metadata: JsonRecord,
  output: Schema.NullOr(JsonRecord),
  usage: Usage,
  cursor: Cursor,
  createdAt: Timestamp,
  startedAt: Schema.NullOr(Timestamp),
  endedAt: Timestamp,
  idempotencyKey: Schema.NullOr(IdempotencyKey.pipe(Schema.compose(Text))),
  hash: Text,
  /** The earlier run that this one went on with. */
  resumes: Schema.NullOr(RunId)
})
export type Run = typeof Run.Type

/** A message at its place, with what the timeline shows about it. */
export const Message = Schema.Struct({
  type: Schema.Literal("message"),
  seq: Seq,
  runId: Schema.NullOr(RunId),
  actor: Schema.NullOr(Actor),
  at: Timestamp,
  message: kept(Stored.Message, exactly(AnyMessage)),
  startedAt: Schema.NullOr(Timestamp),
  finished: Schema.NullOr(Cursor),
  display: Schema.NullOr(kept(Stored.CallDisplay))
})
export type Message = typeof Message.Type

/** A question that was answered. */
export const Question = Schema.Struct({
  type: Schema.Literal("question"),
  id: QuestionId,
  runId: RunId,
  callId: CallId,
  seq: Seq,
  tool: Text,
  access: Word,
  input: Schema.String,
  display: Schema.NullOr(kept(Stored.CallDisplay)),
  answer: kept(Stored.Answer),
  askedAt: Timestamp
})
export type Question = typeof Question.Type

/** A tool that may be used without a question. */
export const Grant = Schema.Struct({ type: Schema.Literal("grant"), tool: Text })
export type Grant = typeof Grant.Type

/** The places of messages that were appended under an idempotency key. */
export const AppendKey = Schema.Struct({
  type: Schema.Literal("append-key"),
  key: Text,
  hash: Text,
  first: Seq,
  last: Seq
})
export type AppendKey = typeof AppendKey.Type

const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/, { description: "a SHA-256 in lower-case hex" }))

/** An asset; its content follows. */
export const Asset = Schema.Struct({
  type: Schema.Literal("asset"),
  id: AssetId,
  name: Schema.NullOr(Text),
  mediaType: Text.pipe(Schema.nonEmptyString()),
  size: Count,
  sha256: Sha256,
  createdAt: Timestamp
})
export type Asset = typeof Asset.Type

/** What a store keeps of a session besides the session's own fields. */
export const Row = Schema.Union(Run, Message, Question, Grant, AppendKey, Asset)
export type Row = typeof Row.Type

/** Maximum bytes of content in a line. */
export const pieceBytes = 48 * 1024

/** A piece of the content of the asset before it. */
export const Content = Schema.Struct({
  type: Schema.Literal("content"),
  base64: Schema.Uint8ArrayFromBase64.annotations({ description: "bytes in base64" })
})
export type Content = typeof Content.Type

/** How many lines of each kind a session has. */
export const SessionEnd = Schema.Struct({
  type: Schema.Literal("session.end"),
  id: SessionId,
  runs: Count,
  messages: Count,
  questions: Count,
  grants: Count,
  keys: Count,
  assets: Count
})
export type SessionEnd = typeof SessionEnd.Type

/** The last line: proof that everything came as it was written. */
export const End = Schema.Struct({
  type: Schema.Literal("skein.export.end"),
  sessions: Count,
  /** Lines before this one. */
  lines: Count,
  /** Hash of the bytes of these lines, line ends included. */
  sha256: Sha256
})
export type End = typeof End.Type

/** A line. */
export const Line = Schema.Union(Head, Session, ...Row.members, Content, SessionEnd, End)
export type Line = typeof Line.Type

const encode = Schema.encodeSync(Schema.parseJson(Line))

/** The text of a line, with its end. */
export const text = (line: Line): string => `${encode(line)}\n`

/** The end of a run that was going on when it was exported. */
export const goingOn = { stopReason: "crashed", detail: "it went on when its session was exported" } as const

/** Returns a word of a value as it is stored: decoding turns a word that this version does not know into another. */
export const wordOf = (stored: unknown, field: string): string | null =>
  Predicate.hasProperty(stored, field) && typeof stored[field] === "string" ? stored[field] : null
