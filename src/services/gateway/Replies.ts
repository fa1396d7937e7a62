/** What the Gateway's operations return beside the domain's own types, as Schemas. */
import { Predicate, Schema } from "effect"
import type { Named, NamedUnion } from "../../domain/Named.js"
import * as Live from "../../domain/Live.js"
import { CallId } from "../../domain/Message.js"
import { OpenBatch } from "../../domain/OpenBatch.js"
import { Question } from "../../domain/Permission.js"
import { Run, RunId } from "../../domain/Run.js"
import { Cursor, Session, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"

const isLive = (value: unknown): value is Live.Live =>
  Predicate.hasProperty(value, "runId") &&
  Predicate.hasProperty(value, "step") &&
  Predicate.hasProperty(value, "progress")

/** The live part; encoded as what watchers in other processes see of it, with the newest progress of each call. */
const LivePart = Schema.transform(
  Schema.Struct({
    runId: RunId,
    step: Schema.NullOr(Schema.Struct({ ...Live.Draft.fields, stored: Schema.Boolean })),
    progress: Schema.Array(Schema.Struct({ callId: CallId, text: Schema.String }))
  }),
  Schema.declare(isLive, { identifier: "Live" }),
  {
    strict: true,
    decode: ({ progress, runId, step }) =>
      progress.reduce(
        (live, { callId, text }) => Live.setProgress(live, callId, text),
        step === null ? Live.start(runId) : step.stored ? Live.endStep(Live.ofDraft(step)) : Live.ofDraft(step)
      ),
    encode: (live) => ({
      runId: live.runId,
      step: live.step === null ? null : { ...Live.writtenOf(live.runId, live.step), stored: live.step.stored },
      progress: [...live.progress].map(([callId, { text }]) => ({ callId, text }))
    })
  }
)

/** A running session as it is, and the cursor from which events go on. */
export const Snapshot = Schema.Struct({
  session: Session,
  cursor: Cursor,
  /** The oldest durable event that is kept. */
  oldest: Cursor,
  /** The run that holds the session, or null; `crashed` when its engine is known to be dead or has lost its lease. */
  run: Schema.NullOr(Schema.Struct({ run: Run, crashed: Schema.Boolean })),
  queued: Schema.Array(Run),
  batch: OpenBatch,
  questions: Schema.Array(Question),
  /** What the running step has written so far; at most a second old when the run is elsewhere. Null when none runs. */
  live: Schema.NullOr(LivePart)
})
export type Snapshot = Named<
  typeof Snapshot.Type,
  {
    readonly session: Session
    readonly run: { readonly run: Run; readonly crashed: boolean } | null
    readonly queued: ReadonlyArray<Run>
    readonly batch: OpenBatch
    readonly questions: ReadonlyArray<Question>
  }
>

/** The outcome for one session when many were to change. */
export const SessionChange = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("Changed"), session: Session }),
  Schema.Struct({ _tag: Schema.Literal("Failed"), sessionId: SessionId, error: SkeinError.Change })
)
export type SessionChange = NamedUnion<typeof SessionChange.Type>
