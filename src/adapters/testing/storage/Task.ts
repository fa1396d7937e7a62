/** The tasks of a program that serves a storage, and its reports: one JSON value per line. */
import { Schema } from "effect"
import { Lease } from "../../../domain/Lease.js"
import { CallId } from "../../../domain/Message.js"
import { RunId } from "../../../domain/Run.js"
import { Seq, SessionId } from "../../../domain/Session.js"

/** The instance of the engine that does the task. */
const engine = { engine: Schema.String }

export const Task = Schema.Union(
  /** Appends messages "NAME 1" to "NAME TIMES", one after the other, and reports each. */
  Schema.TaggedStruct("Append", { sessionId: SessionId, name: Schema.String, times: Schema.Number }),
  Schema.TaggedStruct("Rename", { sessionId: SessionId, title: Schema.String }),
  Schema.TaggedStruct("Admit", { ...engine, sessionId: SessionId, runId: RunId, key: Schema.NullOr(Schema.String) }),
  Schema.TaggedStruct("TakeOver", { ...engine, lease: Lease, count: Schema.Number }),
  /** Starts and completes calls, one after the other, and reports each. */
  Schema.TaggedStruct("Complete", {
    lease: Lease,
    calls: Schema.Array(Schema.Struct({ seq: Seq, callId: CallId }))
  })
)
export type Task = typeof Task.Type

export const Report = Schema.Union(
  /** The storage is open. */
  Schema.TaggedStruct("Ready", {}),
  /** The storage has acknowledged this. */
  Schema.TaggedStruct("Acknowledged", { what: Schema.String }),
  /** The outcome of an `Admit` or a `TakeOver`, with the lease if there is one. */
  Schema.TaggedStruct("Answered", { outcome: Schema.String, lease: Schema.NullOr(Lease) }),
  /** The storage refused the task, with this error. */
  Schema.TaggedStruct("Refused", { error: Schema.String }),
  /** The task has ended. */
  Schema.TaggedStruct("Done", {})
)
export type Report = typeof Report.Type

export const TaskLine = Schema.parseJson(Task)
export const ReportLine = Schema.parseJson(Report)
