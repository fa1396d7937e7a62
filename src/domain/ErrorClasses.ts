/**
 * The classes of all errors except those of engines. Fields say which and how much; `message` is one line for a person.
 * No error holds a key, a message's text or a tool's input. The one exception is `AnswerInvalid`: its `text` and
 * `detail` are what it is about.
 */
import { Schema } from "effect"
import { AssetId } from "./Asset.js"
import * as ModelFailure from "./ModelFailure.js"
import { AnyVerdict, QuestionId } from "./Permission.js"
import { httpStatus } from "./HttpStatus.js"
import { RunId, StopReason } from "./Run.js"
import { Seq, SessionId } from "./Session.js"

/**
 * An input was refused before anything changed. `limit` says what is allowed, `actual` what was passed, but never a
 * message's text.
 */
export class InvalidInput extends Schema.TaggedError<InvalidInput>()(
  "InvalidInput",
  {
    field: Schema.String,
    limit: Schema.String,
    actual: Schema.String
  },
  httpStatus(422)
) {
  override get message() {
    return `${this.field === "" ? "" : `${this.field}: `}${this.limit} (given: ${this.actual})`
  }
}

/** No session has this id, or it belongs to somebody else. */
export class SessionNotFound extends Schema.TaggedError<SessionNotFound>()(
  "SessionNotFound",
  {
    sessionId: SessionId
  },
  httpStatus(404)
) {
  override get message() {
    return `There is no session ${this.sessionId}`
  }
}

/** A session with this id exists already, or is still being deleted. */
export class SessionExists extends Schema.TaggedError<SessionExists>()(
  "SessionExists",
  {
    sessionId: SessionId
  },
  httpStatus(409)
) {
  override get message() {
    return `Session ${this.sessionId} already exists`
  }
}

/** The session is being deleted: it takes no more messages, runs or answers. */
export class SessionDeleting extends Schema.TaggedError<SessionDeleting>()(
  "SessionDeleting",
  {
    sessionId: SessionId
  },
  httpStatus(410)
) {
  override get message() {
    return `Session ${this.sessionId} is being deleted`
  }
}

/** A run holds the session, in this process or in another. */
export class SessionBusy extends Schema.TaggedError<SessionBusy>()(
  "SessionBusy",
  {
    sessionId: SessionId,
    runId: RunId
  },
  httpStatus(409)
) {
  override get message() {
    return `Session ${this.sessionId} is busy with run ${this.runId}`
  }
}

/** No run has this id or idempotency key. */
export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { runId: RunId }, httpStatus(404)) {
  override get message() {
    return `There is no run ${this.runId}`
  }
}

/** The transcript has no message at this place, and no stored result waits there for earlier ones. */
export class MessageNotFound extends Schema.TaggedError<MessageNotFound>()(
  "MessageNotFound",
  { sessionId: SessionId, seq: Seq },
  httpStatus(404)
) {
  override get message() {
    return `Session ${this.sessionId} has no message ${this.seq}`
  }
}

/** The key was used for another message, that of run `runId`; if that is null, for other messages of `append`. */
export class IdempotencyConflict extends Schema.TaggedError<IdempotencyConflict>()(
  "IdempotencyConflict",
  {
    sessionId: SessionId,
    idempotencyKey: Schema.String,
    runId: Schema.NullOr(RunId)
  },
  httpStatus(409)
) {
  override get message() {
    return this.runId === null
      ? `Idempotency key ${this.idempotencyKey} belongs to other messages`
      : `Idempotency key ${this.idempotencyKey} belongs to another message, that of run ${this.runId}`
  }
}

/** The message is not allowed at this position. */
export class AppendRefused extends Schema.TaggedError<AppendRefused>()(
  "AppendRefused",
  {
    sessionId: SessionId,
    reason: Schema.Literal("batch-open", "result-without-call", "calls-without-batch", "empty")
  },
  httpStatus(409)
) {
  override get message() {
    return `Session ${this.sessionId} does not accept this message now: ${this.reason}`
  }
}

/** The gateway was restricted to reading; see `Gateway.restrict`. `operation` names the operation of the Gateway. */
export class Forbidden extends Schema.TaggedError<Forbidden>()(
  "Forbidden",
  { operation: Schema.String },
  httpStatus(403)
) {
  override get message() {
    return `${this.operation} is not allowed: this gateway only reads`
  }
}

/** No question has this id. */
export class QuestionNotFound extends Schema.TaggedError<QuestionNotFound>()(
  "QuestionNotFound",
  {
    questionId: QuestionId
  },
  httpStatus(404)
) {
  override get message() {
    return `There is no question ${this.questionId}`
  }
}

/** The question already has its answer. The first one counts. */
export class QuestionAnswered extends Schema.TaggedError<QuestionAnswered>()(
  "QuestionAnswered",
  {
    questionId: QuestionId,
    verdict: AnyVerdict
  },
  httpStatus(409)
) {
  override get message() {
    return `Question ${this.questionId} has already been answered: ${this.verdict}`
  }
}

/** The session has no file with this id. */
export class AssetNotFound extends Schema.TaggedError<AssetNotFound>()(
  "AssetNotFound",
  {
    sessionId: SessionId,
    assetId: AssetId
  },
  httpStatus(404)
) {
  override get message() {
    return `Session ${this.sessionId} has no asset ${this.assetId}`
  }
}

/** An asset's file could not be written, read or removed. An id is null when several are affected. */
export class AssetFailed extends Schema.TaggedError<AssetFailed>()(
  "AssetFailed",
  {
    sessionId: Schema.NullOr(SessionId),
    assetId: Schema.NullOr(AssetId),
    operation: Schema.Literal("write", "read", "delete"),
    detail: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    const assets = this.assetId === null ? "assets" : `asset ${this.assetId}`
    const place = this.sessionId === null ? "" : ` of session ${this.sessionId}`
    return `Could not ${this.operation} ${assets}${place}: ${this.detail}`
  }
}

/**
 * A stored row does not decode. The rest of the session stays readable. The ids are as stored: they may be damaged
 * themselves.
 */
export class RowDamaged extends Schema.TaggedError<RowDamaged>()(
  "RowDamaged",
  {
    sessionId: Schema.String,
    seq: Schema.NullOr(Schema.Finite),
    detail: Schema.String
  },
  httpStatus(500)
) {
  override get message() {
    return `Session ${this.sessionId} has a damaged row${this.seq === null ? "" : ` at ${this.seq}`}: ${this.detail}`
  }
}

/** The events after this cursor are not kept. Load the session again, then subscribe from its cursor. */
export class CursorGone extends Schema.TaggedError<CursorGone>()(
  "CursorGone",
  {
    sessionId: SessionId,
    after: Schema.Finite,
    oldest: Schema.Finite,
    newest: Schema.Finite
  },
  httpStatus(410)
) {
  override get message() {
    return `Session ${this.sessionId} has events ${this.oldest} to ${this.newest}, and none that follow ${this.after}: reload`
  }
}

/** Storage failed with `code` (such as SQLITE_FULL). Nothing of the write is stored. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()(
  "StorageFailed",
  {
    operation: Schema.String,
    code: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    return `Storage failed to ${this.operation}: ${this.code}`
  }
}

/** Another process held the write lock for the whole of the allowed wait. Nothing of the write is stored. */
export class StorageBusy extends Schema.TaggedError<StorageBusy>()(
  "StorageBusy",
  {
    operation: Schema.String,
    waitedMillis: Schema.Finite
  },
  httpStatus(503)
) {
  override get message() {
    return `Another process held the database for ${this.waitedMillis} ms; ${this.operation} was given up`
  }
}

/** The commit failed in a way that leaves open whether the write is stored, and looking it up failed too. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()(
  "OutcomeUnknown",
  {
    operation: Schema.String,
    code: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    return `Storage does not know whether it managed to ${this.operation}: ${this.code}`
  }
}

/** The database or data folder cannot be used. It was left untouched. */
export class StorageUnusable extends Schema.TaggedError<StorageUnusable>()(
  "StorageUnusable",
  {
    path: Schema.String,
    reason: Schema.Literal(
      "not-a-database",
      "foreign-database",
      "newer-version",
      "damaged",
      "no-access",
      "locked",
      "in-use",
      "replaced",
      "old-sqlite",
      "two-copies",
      "hard-linked",
      "not-utf8"
    ),
    detail: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    return `Cannot use ${this.path}: ${this.reason}${this.detail === "" ? "" : ` (${this.detail})`}`
  }
}

/** No model answers to that name, or its key is missing. */
export class ModelUnavailable extends Schema.TaggedError<ModelUnavailable>()(
  "ModelUnavailable",
  {
    model: Schema.String,
    detail: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    return `Model ${this.model} is not available: ${this.detail}`
  }
}

/** No agent answers to that name, or its tools were refused. */
export class AgentUnavailable extends Schema.TaggedError<AgentUnavailable>()(
  "AgentUnavailable",
  {
    agent: Schema.String,
    detail: Schema.String
  },
  httpStatus(503)
) {
  override get message() {
    return `Agent ${this.agent} is not available: ${this.detail}`
  }
}

/**
 * A model step failed.
 * - `rate-limited`, `overloaded` (5xx), `unreachable` (no connection), `cut` (the stream ended without a finish),
 *   `silent` (nothing arrived for the idle time): a later try may succeed.
 * - `rejected` (4xx), `unauthorized`, `malformed` (an answer that breaks the protocol): a later try will not succeed.
 */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()(
  "ModelFailed",
  {
    model: Schema.String,
    reason: Schema.Literal(...ModelFailure.reasons),
    status: Schema.NullOr(Schema.Int),
    /** Milliseconds that the provider asked to wait. */
    retryAfterMillis: Schema.NullOr(Schema.Number),
    detail: Schema.String
  },
  httpStatus(502)
) {
  get isRetryable(): boolean {
    return ["rate-limited", "overloaded", "unreachable", "cut", "silent"].includes(this.reason)
  }
  override get message() {
    return ModelFailure.toText(this)
  }
}

/** Two tools of one toolbox have the same name. */
export class DuplicateTool extends Schema.TaggedError<DuplicateTool>()(
  "DuplicateTool",
  { name: Schema.String },
  httpStatus(422)
) {
  override get message() {
    return `There are two tools named ${this.name}`
  }
}

/** `Run.await` or `Run.settle` inside a host's transaction would wait for tools that wait for the same connection. */
export class AwaitInTransaction extends Schema.TaggedError<AwaitInTransaction>()(
  "AwaitInTransaction",
  {
    /** Null for a run that was not sent because nobody could wait for it. */
    runId: Schema.NullOr(RunId)
  },
  httpStatus(409)
) {
  override get message() {
    const run = this.runId === null ? "A run" : `Run ${this.runId}`
    return `${run} cannot be awaited inside a SQL transaction: commit first, then wait`
  }
}

/** A tool cannot wait for a run of the session that it runs in: that run waits for the tool. */
export class AwaitOwnSession extends Schema.TaggedError<AwaitOwnSession>()(
  "AwaitOwnSession",
  {
    sessionId: SessionId,
    runId: RunId
  },
  httpStatus(409)
) {
  override get message() {
    return `Run ${this.runId} cannot be awaited by a tool of its own session ${this.sessionId}`
  }
}

/** A run ended without an answer. `stopReason` is one of `Run.StopReason`. */
export class RunStopped extends Schema.TaggedError<RunStopped>()(
  "RunStopped",
  {
    runId: RunId,
    stopReason: StopReason,
    detail: Schema.NullOr(Schema.String)
  },
  httpStatus(409)
) {
  override get message() {
    return `Run ${this.runId} ended without an answer: ${this.stopReason}${this.detail === null ? "" : ` (${this.detail})`}`
  }
}

/**
 * The answer of a run does not match the requested schema, nor do the answers it was asked for afterwards. `text` is
 * the last answer; `detail` has a line for each thing that is wrong with it.
 */
export class AnswerInvalid extends Schema.TaggedError<AnswerInvalid>()(
  "AnswerInvalid",
  {
    runId: RunId,
    text: Schema.String,
    detail: Schema.String
  },
  httpStatus(502)
) {
  override get message() {
    return `The answer of run ${this.runId} does not match the requested schema`
  }
}

/** A file is not a complete export, or cannot be imported here: `line`, `field`, and why. Nothing of it is kept. */
export class ImportRefused extends Schema.TaggedError<ImportRefused>()(
  "ImportRefused",
  {
    /** Counted from 1; the line after the last one when something is missing. */
    line: Schema.Int,
    /** The field, by its path; "" for the line as a whole. */
    field: Schema.String,
    detail: Schema.String
  },
  httpStatus(422)
) {
  override get message() {
    return `line ${this.line}: ${this.field === "" ? "" : `${this.field}: `}${this.detail}`
  }
}
