/**
 * Every error that Skein's public operations fail with. Fields say which and how much; `message` is one line for a
 * person. No error holds a key, a message's text or a tool's input.
 */
import { Schema } from "effect"

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
  sessionId: Schema.String
}) {
  override get message() {
    return `There is no session ${this.sessionId}`
  }
}

export class SessionExists extends Schema.TaggedError<SessionExists>()("SessionExists", {
  sessionId: Schema.String
}) {
  override get message() {
    return `There is a session ${this.sessionId} already`
  }
}

/** The session is being deleted: it takes no more messages, runs or answers. */
export class SessionDeleting extends Schema.TaggedError<SessionDeleting>()("SessionDeleting", {
  sessionId: Schema.String
}) {
  override get message() {
    return `Session ${this.sessionId} is being deleted`
  }
}

/** A run holds the session, in this process or in another. */
export class SessionBusy extends Schema.TaggedError<SessionBusy>()("SessionBusy", {
  sessionId: Schema.String,
  runId: Schema.String
}) {
  override get message() {
    return `Session ${this.sessionId} is busy with run ${this.runId}`
  }
}

export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { runId: Schema.String }) {
  override get message() {
    return `There is no run ${this.runId}`
  }
}

/** The key was used for a different message. `runId` is the run that it stands for. */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()("IdempotencyConflict", {
  sessionId: Schema.String,
  idempotencyKey: Schema.String,
  runId: Schema.String
}) {
  override get message() {
    return `Idempotency key ${this.idempotencyKey} belongs to another message, that of run ${this.runId}`
  }
}

/** Something may not stand where it was to be appended. */
export class AppendRefused extends Schema.TaggedError<AppendRefused>()("AppendRefused", {
  sessionId: Schema.String,
  reason: Schema.Literal("batch-open", "result-without-call", "calls-without-batch", "empty")
}) {
  override get message() {
    return `Session ${this.sessionId} takes no such message now: ${this.reason}`
  }
}

/** A newer owner holds the session; nothing more of this run is written. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", {
  sessionId: Schema.String,
  runId: Schema.String
}) {
  override get message() {
    return `Run ${this.runId} lost session ${this.sessionId} to a newer owner`
  }
}

export class QuestionNotFound extends Schema.TaggedError<QuestionNotFound>()("QuestionNotFound", {
  questionId: Schema.String
}) {
  override get message() {
    return `There is no question ${this.questionId}`
  }
}

/** Somebody else was first. */
export class QuestionAnswered extends Schema.TaggedError<QuestionAnswered>()("QuestionAnswered", {
  questionId: Schema.String,
  verdict: Schema.String
}) {
  override get message() {
    return `Question ${this.questionId} was answered already: ${this.verdict}`
  }
}

export class AssetNotFound extends Schema.TaggedError<AssetNotFound>()("AssetNotFound", {
  sessionId: Schema.String,
  assetId: Schema.String
}) {
  override get message() {
    return `Session ${this.sessionId} has no asset ${this.assetId}`
  }
}

/** An asset's file could not be written or read. */
export class AssetFailed extends Schema.TaggedError<AssetFailed>()("AssetFailed", {
  sessionId: Schema.String,
  assetId: Schema.String,
  operation: Schema.Literal("write", "read", "delete"),
  detail: Schema.String
}) {
  override get message() {
    return `Could not ${this.operation} asset ${this.assetId} of session ${this.sessionId}: ${this.detail}`
  }
}

/** A stored row does not decode. The rest of the session stays readable. */
export class RowDamaged extends Schema.TaggedError<RowDamaged>()("RowDamaged", {
  sessionId: Schema.String,
  seq: Schema.NullOr(Schema.Number),
  detail: Schema.String
}) {
  override get message() {
    return `Session ${this.sessionId} has a damaged row${this.seq === null ? "" : ` at ${this.seq}`}: ${this.detail}`
  }
}

/** The cursor is not one of this session's kept events: load the session anew, then subscribe from its cursor. */
export class CursorGone extends Schema.TaggedError<CursorGone>()("CursorGone", {
  sessionId: Schema.String,
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

/**
 * A model step failed.
 * - `rate-limited`, `overloaded` (5xx), `unreachable` (no connection), `cut` (the stream ended without a finish),
 *   `silent` (nothing arrived for the idle time): a later try may succeed.
 * - `rejected` (4xx), `unauthorized`, `malformed` (an answer that is not of the protocol): it will not.
 */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", {
  model: Schema.String,
  reason: Schema.Literal(
    "rate-limited",
    "overloaded",
    "unreachable",
    "cut",
    "silent",
    "rejected",
    "unauthorized",
    "malformed"
  ),
  status: Schema.NullOr(Schema.Int),
  /** Milliseconds that the provider asked to wait. */
  retryAfterMillis: Schema.NullOr(Schema.Number),
  detail: Schema.String
}) {
  get isRetryable(): boolean {
    return ["rate-limited", "overloaded", "unreachable", "cut", "silent"].includes(this.reason)
  }
  override get message() {
    return `Model ${this.model} failed: ${this.reason}${this.status === null ? "" : ` (${this.status})`}${this.detail === "" ? "" : `: ${this.detail}`}`
  }
}

/** Two tools of one toolbox have the same name. */
export class DuplicateTool extends Schema.TaggedError<DuplicateTool>()("DuplicateTool", { name: Schema.String }) {
  override get message() {
    return `There are two tools named ${this.name}`
  }
}

/** `Run.await` inside a host's transaction would wait for tools that wait for the same connection. */
export class AwaitInTransaction extends Schema.TaggedError<AwaitInTransaction>()("AwaitInTransaction", {
  runId: Schema.String
}) {
  override get message() {
    return `Run ${this.runId} cannot be awaited inside a SQL transaction: commit first, then wait`
  }
}

/** A run ended without an answer. `stopReason` is one of `Run.StopReason`. */
export class RunStopped extends Schema.TaggedError<RunStopped>()("RunStopped", {
  runId: Schema.String,
  stopReason: Schema.String,
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

/** What a change to an existing session may fail with. */
export const Change = Schema.Union(InvalidInput, SessionNotFound, SessionDeleting, ...Write.members, RowDamaged)
export type Change = typeof Change.Type

/** `Gateway.create`. */
export const Create = Schema.Union(InvalidInput, SessionExists, ...Write.members, RowDamaged)
export type Create = typeof Create.Type

/** `Gateway.send` and `Gateway.resume`. */
export const Send = Schema.Union(...Change.members, SessionBusy, IdempotencyConflict, AssetNotFound)
export type Send = typeof Send.Type

/** `Gateway.cancel`. */
export const Cancel = Schema.Union(
  RunNotFound,
  SessionNotFound,
  SessionDeleting,
  InvalidInput,
  ...Write.members,
  RowDamaged
)
export type Cancel = typeof Cancel.Type

/** `Gateway.delete`. */
export const Delete = Schema.Union(SessionNotFound, AssetFailed, ...Write.members, RowDamaged)
export type Delete = typeof Delete.Type

/** `Gateway.events` and `Run.events`. */
export const Events = Schema.Union(SessionNotFound, CursorGone, ...Read.members)
export type Events = typeof Events.Type

const all = Schema.Union(
  ...Send.members,
  ...Create.members,
  ...Cancel.members,
  ...Delete.members,
  ...Events.members,
  AppendRefused,
  LeaseLost,
  QuestionNotFound,
  QuestionAnswered,
  ModelUnavailable,
  ModelFailed,
  DuplicateTool,
  AwaitInTransaction,
  RunStopped
)

/** Whether a value is one of Skein's own errors. */
export const is: (value: unknown) => value is typeof all.Type = Schema.is(all)
