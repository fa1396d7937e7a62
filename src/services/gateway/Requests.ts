/** The inputs of the Gateway's operations, as Schemas: every input is checked by them before anything changes. */
import { Schema } from "effect"
import type { Named } from "../../domain/Named.js"
import { AgentName } from "../../domain/AgentName.js"
import { AssetId } from "../../domain/Asset.js"
import { Values } from "../../domain/Inquiry.js"
import { JsonRecord } from "../../domain/Json.js"
import { ModelRef } from "../../domain/ModelRef.js"
import { QuestionId, Verdict } from "../../domain/Permission.js"
import { IdempotencyKey, RunId } from "../../domain/Run.js"
import { Placement } from "../../domain/Placement.js"
import { Cursor, Owner, Seq, SessionId } from "../../domain/Session.js"
import { Workdir } from "../../domain/Workdir.js"

/** A field that may be left out or be undefined. */
const { optional } = Schema

/** A session to create. Without an id, the engine makes one; without a title, the first message provides it. */
export const Create = Schema.Struct({
  id: optional(SessionId),
  title: optional(Schema.String),
  owner: optional(Owner),
  /** The folder that the session works in. Defaults to none: file tools and the shell then refuse. */
  workdir: optional(Workdir),
  /**
   * Which engines run the session where several hosts share the storage: those that serve this placement, such as the
   * engines of a host that has the folder. Defaults to all. Other engines refuse its messages with
   * `PlacementNotServed`.
   */
  placement: optional(Placement),
  /** The parent session. */
  parent: optional(SessionId),
  agent: optional(AgentName),
  model: optional(ModelRef),
  metadata: optional(JsonRecord)
}).annotations({ identifier: "CreateSession" })
export type Create = Named<typeof Create.Type>

const changes = {
  title: optional(Schema.String),
  /** From the next step on; null leaves the choice to the agent. */
  model: optional(Schema.NullOr(ModelRef)),
  /** From the next step on; null leaves the choice to the host. */
  agent: optional(Schema.NullOr(AgentName)),
  /** The folder from the next step on; null leaves the session without one. */
  workdir: optional(Schema.NullOr(Workdir)),
  /** Sets these fields, removes those that are null, leaves all others. */
  metadata: optional(JsonRecord)
}

/** Changes to a session, in one commit. Fields that are left out stay as they are. */
export const Patch = Schema.Struct({ sessionId: SessionId, ...changes }).annotations({ identifier: "PatchSession" })
export type Patch = Named<typeof Patch.Type>

/** The same for many sessions, one by one. */
export const PatchMany = Schema.Struct({ sessionIds: Schema.Array(SessionId), ...changes }).annotations({
  identifier: "PatchSessions"
})
export type PatchMany = Named<typeof PatchMany.Type>

/** A part of a transcript: from place `from` to place `to`, both included. Defaults to the whole. */
export const TranscriptRange = Schema.Struct({
  sessionId: SessionId,
  from: optional(Seq),
  to: optional(Seq)
}).annotations({ identifier: "TranscriptRange" })
export type TranscriptRange = Named<typeof TranscriptRange.Type>

/** One message of a transcript, by its place. */
export const EntryPlace = Schema.Struct({ sessionId: SessionId, seq: Seq }).annotations({ identifier: "EntryPlace" })
export type EntryPlace = Named<typeof EntryPlace.Type>

/** Events after the last one that the client has. Defaults to all events that are kept. */
export const EventRange = Schema.Struct({
  sessionId: SessionId,
  after: optional(Cursor),
  /** Whether events of messages carry the entry, and events of questions the question. Defaults to no. */
  entries: optional(Schema.Boolean),
  /**
   * Whether the stream goes on with new events once it has replayed what there was when it began. If not, it ends then,
   * however fast the session is written. Defaults to yes.
   */
  live: optional(Schema.Boolean)
}).annotations({ identifier: "EventRange" })
export type EventRange = Named<typeof EventRange.Type>

/** A file of a message. */
const SentFile = Schema.Struct({
  assetId: AssetId,
  mediaType: Schema.String,
  name: optional(Schema.String)
}).annotations({ identifier: "SentFile" })

/** A message: a text, files by asset id, or both. */
export const Send = Schema.Struct({
  sessionId: SessionId,
  text: Schema.String,
  files: optional(Schema.Array(SentFile)),
  /** What tools can read about who asks. */
  metadata: optional(JsonRecord),
  /**
   * The JSON Schema of the object that the answer must be, such as `Run.output` makes. Providers that can enforce it do
   * so; for other models the system prompt asks for it. `Run.answerAs` reads the answer.
   */
  output: optional(JsonRecord),
  /**
   * Makes a retry harmless: the same key with the same message returns its run, or the newest run that went on with it.
   */
  idempotencyKey: optional(IdempotencyKey),
  /** What to do when a run holds the session. Defaults to "refuse". */
  whenBusy: optional(Schema.Literal("refuse", "queue"))
}).annotations({ identifier: "SendMessage" })
export type Send = Named<typeof Send.Type>

/** What to go on with: a run, or the run of an idempotency key. Defaults to the session's newest run. */
export const ResumedRun = Schema.Struct({ runId: optional(RunId), idempotencyKey: optional(IdempotencyKey) }).pipe(
  Schema.filter(({ idempotencyKey, runId }) => idempotencyKey === undefined || runId === undefined, {
    identifier: "ResumedRun",
    description: "a run or a key, not both"
  })
)
export type ResumedRun = Named<typeof ResumedRun.Type>

/** Which sessions to recover, and how many runs the engine may drive. Defaults to all, and to the engine's setting. */
export const Recover = Schema.Struct({
  owner: optional(Owner),
  limit: optional(Schema.Int.pipe(Schema.positive({ description: "a whole number from 1" })))
}).annotations({ identifier: "RecoverSessions" })
export type Recover = Named<typeof Recover.Type>

/** An answer to a question. */
export const Answer = Schema.Struct({
  questionId: QuestionId,
  verdict: Verdict,
  /** Why, for the model. */
  message: optional(Schema.String),
  /** The values that were filled in; with `allow-once`, for a question with an `inquiry`. Defaults to none. */
  values: optional(Values),
  /** Whether a person dismissed the question instead of answering it; with `deny`. Defaults to false. */
  isDismissed: optional(Schema.Boolean),
  /** Who answers, as the host names people. Defaults to the actor. */
  by: optional(Schema.String)
}).annotations({ identifier: "AnswerQuestion" })
export type Answer = Named<typeof Answer.Type, { readonly values: Values | undefined }>

/** A file to store, apart from its content. */
export const NewAsset = Schema.Struct({
  sessionId: SessionId,
  name: optional(Schema.String),
  mediaType: Schema.String
}).annotations({ identifier: "NewAsset" })
export type NewAsset = Named<typeof NewAsset.Type>

/** A part of an asset: `length` bytes from `offset`. Defaults to the whole. */
export const AssetRange = Schema.Struct({
  sessionId: SessionId,
  assetId: AssetId,
  offset: optional(Schema.NonNegativeInt),
  length: optional(Schema.NonNegativeInt)
}).annotations({ identifier: "AssetRange" })
export type AssetRange = Named<typeof AssetRange.Type>

/** Which questions are listed: those of a session, of an owner's sessions, or of both; by default all. */
export const QuestionQuery = Schema.Struct({
  sessionId: Schema.optional(SessionId),
  owner: Schema.optional(Owner)
}).annotations({ identifier: "QuestionQuery" })
export type QuestionQuery = Named<typeof QuestionQuery.Type>

/** Which sessions to export: those named, in this order; else all, or all of one owner, the first created first. */
export const ExportSessions = Schema.Struct({
  sessionIds: optional(Schema.Array(SessionId)),
  owner: optional(Owner)
}).annotations({ identifier: "ExportSessions" })
export type ExportSessions = Named<typeof ExportSessions.Type>

/** How to import sessions, apart from the bytes of the export. */
export const ImportSessions = Schema.Struct({
  /** Gives sessions, runs and questions new ids, so that they can exist next to the originals. Defaults to no. */
  newIds: optional(Schema.Boolean),
  /** The new owner of the sessions. Defaults to the owners that they have. */
  owner: optional(Owner),
  /**
   * Keeps what was answered with `allow-for-session`: which tools the sessions may use without a question. Defaults to
   * no, because whoever wrote the export decides what is in it.
   */
  withGrants: optional(Schema.Boolean)
}).annotations({ identifier: "ImportSessions" })
export type ImportSessions = Named<typeof ImportSessions.Type>
