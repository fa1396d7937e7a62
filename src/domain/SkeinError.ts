/**
 * Every error that Skein's public operations fail with. Fields say which and how much; `message` is one line for a
 * person. No error holds a key, a message's text or a tool's input.
 */
import { Schema } from "effect"
import { AssetId } from "./Asset.js"
import * as ModelFailure from "./ModelFailure.js"
import { AnyVerdict, QuestionId } from "./Permission.js"
import { RunId, StopReason } from "./Run.js"
import { SessionId } from "./Session.js"

/** An input was refused before anything changed. `limit` says what is allowed, `actual` what was given, but no text. */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()("InvalidInput", {
  field: Schema.String,
  limit: Schema.String,
  actual: Schema.String
}) {
  override get message() {
    return `${this.field}: ${this.limit} (given: ${this.actual})`
  }
}

export class SessionNotFound extends Schema.TaggedError<SessionNotFound>()("SessionNotFound", {
  sessionId: SessionId
}) {
  override get message() {
    return `There is no session ${this.sessionId}`
  }
}

export class SessionExists extends Schema.TaggedError<SessionExists>()("SessionExists", {
  sessionId: SessionId
}) {
  override get message() {
    return `Session ${this.sessionId} already exists`
  }
}

/** The session is being deleted: it takes no more messages, runs or answers. */
export class SessionDeleting extends Schema.TaggedError<SessionDeleting>()("SessionDeleting", {
  sessionId: SessionId
}) {
  override get message() {
    return `Session ${this.sessionId} is being deleted`
  }
}

/** A run holds the session, in this process or in another. */
export class SessionBusy extends Schema.TaggedError<SessionBusy>()("SessionBusy", {
  sessionId: SessionId,
  runId: RunId
}) {
  override get message() {
    return `Session ${this.sessionId} is busy with run ${this.runId}`
  }
}

export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { runId: RunId }) {
  override get message() {
    return `There is no run ${this.runId}`
  }
}

/** The key was used for another message, that of run `runId`; for `append`, for other messages, of no run. */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()("IdempotencyConflict", {
  sessionId: SessionId,
  idempotencyKey: Schema.String,
  runId: Schema.NullOr(RunId)
}) {
  override get message() {
    return this.runId === null
      ? `Idempotency key ${this.idempotencyKey} belongs to other messages`
      : `Idempotency key ${this.idempotencyKey} belongs to another message, that of run ${this.runId}`
  }
}

/** The engine is being closed and begins no more runs. Another one does; nothing of the message is stored. */
export class EngineClosing extends Schema.TaggedError<EngineClosing>()("EngineClosing", { sessionId: SessionId }) {
  override get message() {
    return `The engine is being closed: no run of session ${this.sessionId} is begun`
  }
}

/** The message is not allowed at this position. */
export class AppendRefused extends Schema.TaggedError<AppendRefused>()("AppendRefused", {
  sessionId: SessionId,
  reason: Schema.Literal("batch-open", "result-without-call", "calls-without-batch", "empty")
}) {
  override get message() {
    return `Session ${this.sessionId} does not accept this message now: ${this.reason}`
  }
}

/** Another engine has taken the session over. Nothing more of this run is written. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  sessionId: SessionId,
  runId: RunId
}) {
  override get message() {
    return `Run ${this.runId} lost session ${this.sessionId} to another engine`
  }
}

export class QuestionNotFound extends Schema.TaggedError<QuestionNotFound>()("QuestionNotFound", {
  questionId: QuestionId
}) {
  override get message() {
    return `There is no question ${this.questionId}`
  }
}

/** The question already has its answer. The first one counts. */
export class QuestionAnswered extends Schema.TaggedError<QuestionAnswered>()("QuestionAnswered", {
  questionId: QuestionId,
  verdict: AnyVerdict
}) {
  override get message() {
    return `Question ${this.questionId} has already been answered: ${this.verdict}`
  }
}

export class AssetNotFound extends Schema.TaggedError<AssetNotFound>()("AssetNotFound", {
  sessionId: SessionId,
  assetId: AssetId
}) {
  override get message() {
    return `Session ${this.sessionId} has no asset ${this.assetId}`
  }
}

/** An asset's file could not be written, read or removed. An id is null when more than one is meant. */
export class AssetFailed extends Schema.TaggedError<AssetFailed>()("AssetFailed", {
  sessionId: Schema.NullOr(SessionId),
  assetId: Schema.NullOr(AssetId),
  operation: Schema.Literal("write", "read", "delete"),
  detail: Schema.String
}) {
  override get message() {
    const assets = this.assetId === null ? "assets" : `asset ${this.assetId}`
    const place = this.sessionId === null ? "" : ` of session ${this.sessionId}`
    return `Could not ${this.operation} ${assets}${place}: ${this.detail}`
  }
}

/**
 * A stored row does not decode. The rest of the session stays readable. The ids are as stored: they may be what is
 * damaged.
 */
export class RowDamaged extends Schema.TaggedError<RowDamaged>()("RowDamaged", {
  sessionId: Schema.String,
  seq: Schema.NullOr(Schema.Number),
  detail: Schema.String
}) {
  override get message() {
    return `Session ${this.sessionId} has a damaged row${this.seq === null ? "" : ` at ${this.seq}`}: ${this.detail}`
  }
}

/** The events after this cursor are not kept. Load the session again, then subscribe from its cursor. */
export class CursorGone extends Schema.TaggedError<CursorGone>()("CursorGone", {
  sessionId: SessionId,
  after: Schema.Number,
  oldest: Schema.Number,
  newest: Schema.Number
}) {
  override get message() {
    return `Session ${this.sessionId} has events ${this.oldest} to ${this.newest}, none to follow ${this.after}: reload`
  }
}

/** SQLite failed with `code` (such as SQLITE_FULL). Nothing of the write is stored. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", {
  operation: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `Storage failed to ${this.operation}: ${this.code}`
  }
}

/** Another process held the write lock for the whole of the allowed wait. Nothing of the write is stored. */
export class StorageBusy extends Schema.TaggedError<StorageBusy>()("StorageBusy", {
  operation: Schema.String,
  waitedMillis: Schema.Number
}) {
  override get message() {
    return `Another process held the database for ${this.waitedMillis} ms; ${this.operation} was given up`
  }
}

/** The commit failed in a way that leaves open whether the write is stored, and looking it up failed too. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  operation: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `Storage cannot tell whether it did ${this.operation}: ${this.code}`
  }
}

/** The database or data folder cannot be used. It was left untouched. */
export class StorageUnusable extends Schema.TaggedError<StorageUnusable>()("StorageUnusable", {
  path: Schema.String,
  reason: Schema.Literal(
    "not-a-database",
    "foreign-database",
    "newer-version",
    "damaged",
    "no-access",
    "locked",
    "replaced",
    "old-sqlite",
    "two-copies",
    "hard-linked"
  ),
  detail: Schema.String
}) {
  override get message() {
    return `Cannot use ${this.path}: ${this.reason}${this.detail === "" ? "" : ` (${this.detail})`}`
  }
}

/** No model answers to that name, or its key is missing. */
export class ModelUnavailable extends Schema.TaggedError<ModelUnavailable>()("ModelUnavailable", {
  model: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Model ${this.model} is not available: ${this.detail}`
  }
}

/** No agent answers to that name. */
export class AgentUnavailable extends Schema.TaggedError<AgentUnavailable>()("AgentUnavailable", {
  agent: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Agent ${this.agent} is not available: ${this.detail}`
  }
}

/**
 * A model step failed.
 * - `rate-limited`, `overloaded` (5xx), `unreachable` (no connection), `cut` (the stream ended without a finish),
 *   `silent` (nothing arrived for the idle time): a later try may succeed.
 * - `rejected` (4xx), `unauthorized`, `malformed` (an answer that is not of the protocol): it will not.
 */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", {
  model: Schema.String,
  reason: Schema.Literal(...ModelFailure.reasons),
  status: Schema.NullOr(Schema.Int),
  /** Milliseconds that the provider asked to wait. */
  retryAfterMillis: Schema.NullOr(Schema.Number),
  detail: Schema.String
}) {
  get isRetryable(): boolean {
    return ["rate-limited", "overloaded", "unreachable", "cut", "silent"].includes(this.reason)
  }
  override get message() {
    return ModelFailure.toText(this)
  }
}

/** Two tools of one toolbox have the same name. */
export class DuplicateTool extends Schema.TaggedError<DuplicateTool>()("DuplicateTool", { name: Schema.String }) {
  override get message() {
    return `There are two tools named ${this.name}`
  }
}

/** `Run.await` or `Run.settle` inside a host's transaction would wait for tools that wait for the same connection. */
export class AwaitInTransaction extends Schema.TaggedError<AwaitInTransaction>()("AwaitInTransaction", {
  /** Null for a run that was not sent, as nobody could wait for it. */
  runId: Schema.NullOr(RunId)
}) {
  override get message() {
    const run = this.runId === null ? "A run" : `Run ${this.runId}`
    return `${run} cannot be awaited inside a SQL transaction: commit first, then wait`
  }
}

/** A tool cannot wait for a run of the session that it runs in: that run waits for the tool. */
export class AwaitOwnSession extends Schema.TaggedError<AwaitOwnSession>()("AwaitOwnSession", {
  sessionId: SessionId,
  runId: RunId
}) {
  override get message() {
    return `Run ${this.runId} cannot be awaited by a tool of its own session ${this.sessionId}`
  }
}

/** A run ended without an answer. `stopReason` is one of `Run.StopReason`. */
export class RunStopped extends Schema.TaggedError<RunStopped>()("RunStopped", {
  runId: RunId,
  stopReason: StopReason,
  detail: Schema.NullOr(Schema.String)
}) {
  override get message() {
    return `Run ${this.runId} ended without an answer: ${this.stopReason}${this.detail === null ? "" : ` (${this.detail})`}`
  }
}

/** What any write may fail with. */
export const Write = Schema.Union(StorageFailed, StorageBusy, OutcomeUnknown, StorageUnusable)
export type Write = typeof Write.Type

/** What any read may fail with. */
export const Read = Schema.Union(StorageFailed, StorageUnusable, RowDamaged)
export type Read = typeof Read.Type

/** What an operation that reads a session may fail with. */
export const ReadSession = Schema.Union(InvalidInput, SessionNotFound, ...Read.members)
export type ReadSession = typeof ReadSession.Type

/** What an operation that reads a run may fail with. */
export const ReadRun = Schema.Union(InvalidInput, RunNotFound, ...Read.members)
export type ReadRun = typeof ReadRun.Type

/** What an operation that reads a question may fail with. */
export const ReadQuestion = Schema.Union(InvalidInput, QuestionNotFound, ...Read.members)
export type ReadQuestion = typeof ReadQuestion.Type

/** `Gateway.sessions`. */
export const List = Schema.Union(InvalidInput, ...Read.members)
export type List = typeof List.Type

/** What a change to an existing session may fail with. */
export const Change = Schema.Union(InvalidInput, SessionNotFound, SessionDeleting, ...Write.members, RowDamaged)
export type Change = typeof Change.Type

/** `Gateway.create`. */
export const Create = Schema.Union(InvalidInput, SessionExists, ...Write.members, RowDamaged)
export type Create = typeof Create.Type

/** `Gateway.send`. */
export const Send = Schema.Union(...Change.members, SessionBusy, IdempotencyConflict, AssetNotFound, EngineClosing)
export type Send = typeof Send.Type

/** `Gateway.resume`. */
export const Resume = Schema.Union(...Change.members, RunNotFound, SessionBusy, EngineClosing)
export type Resume = typeof Resume.Type

/** `Gateway.recover`. */
export const Recover = Schema.Union(InvalidInput, ...Read.members)
export type Recover = typeof Recover.Type

/** `Gateway.append`. */
export const Append = Schema.Union(...Change.members, IdempotencyConflict, AppendRefused, SessionBusy)
export type Append = typeof Append.Type

/** `Gateway.cancel`. */
export const Cancel = Schema.Union(RunNotFound, ...Change.members)
export type Cancel = typeof Cancel.Type

/** `Gateway.delete`. */
export const Delete = Schema.Union(InvalidInput, SessionNotFound, AssetFailed, ...Write.members, RowDamaged)
export type Delete = typeof Delete.Type

/** `Gateway.events` and `Run.events`. */
export const Events = Schema.Union(...ReadSession.members, CursorGone)
export type Events = typeof Events.Type

/** `Gateway.answer`. */
export const Answer = Schema.Union(...Change.members, QuestionNotFound, QuestionAnswered)
export type Answer = typeof Answer.Type

/** `Gateway.saveAsset`, besides what the content fails with. */
export const SaveAsset = Schema.Union(...Change.members, AssetFailed)
export type SaveAsset = typeof SaveAsset.Type

/** `Gateway.openAsset`. */
export const OpenAsset = Schema.Union(...ReadSession.members, AssetNotFound, AssetFailed)
export type OpenAsset = typeof OpenAsset.Type

/** `Gateway.deleteAsset`. */
export const DeleteAsset = Schema.Union(...Change.members, AssetNotFound, AssetFailed)
export type DeleteAsset = typeof DeleteAsset.Type

const all = Schema.Union(
  ...Send.members,
  ...Resume.members,
  ...Create.members,
  ...Append.members,
  ...Cancel.members,
  ...Events.members,
  ...Answer.members,
  ...DeleteAsset.members,
  LeaseLost,
  AgentUnavailable,
  ModelUnavailable,
  ModelFailed,
  DuplicateTool,
  AwaitInTransaction,
  AwaitOwnSession,
  RunStopped
)

/** Whether a value is one of Skein's own errors. */
export const is: (value: unknown) => value is typeof all.Type = Schema.is(all)
