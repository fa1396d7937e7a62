/** What the Gateway's operations return besides the domain's own types, as Schemas. */
import { Predicate, Schema } from "effect"
import type { Named, NamedUnion } from "../../domain/Named.js"
import * as LivePart from "../../domain/Live.js"
import { CallId } from "../../domain/Message.js"
import { OpenBatch } from "../../domain/OpenBatch.js"
import { Question } from "../../domain/Permission.js"
import { Run, RunId } from "../../domain/Run.js"
import { Cursor, Session, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"

const isLive = (value: unknown): value is LivePart.Live =>
  Predicate.hasProperty(value, "runId") &&
  Predicate.hasProperty(value, "step") &&
  Predicate.hasProperty(value, "progress")

/** A call's report of how far it is. */
const CallProgress = Schema.Struct({ callId: CallId, text: Schema.String }).annotations({ identifier: "CallProgress" })

/** A step as far as it is written, and whether its message is stored. */
const LiveStep = Schema.Struct({ ...LivePart.Draft.fields, stored: Schema.Boolean }).annotations({
  identifier: "LiveStep"
})

/** The live part; encoded as watchers in other processes see it, with the newest progress of each call. */
export const Live = Schema.transform(
  Schema.Struct({
    runId: RunId,
    step: Schema.NullOr(LiveStep),
    progress: Schema.Array(CallProgress)
  }).annotations({ identifier: "Live" }),
  Schema.declare(isLive, { identifier: "Live" }),
  {
    strict: true,
    decode: ({ progress, runId, step }) =>
      progress.reduce(
        (live, { callId, text }) => LivePart.setProgress(live, callId, text),
        step === null
          ? LivePart.start(runId)
          : step.stored
            ? LivePart.endStep(LivePart.ofDraft(step))
            : LivePart.ofDraft(step)
      ),
    encode: (live) => ({
      runId: live.runId,
      step: live.step === null ? null : { ...LivePart.writtenOf(live.runId, live.step), stored: live.step.stored },
      progress: [...live.progress].map(([callId, { text }]) => ({ callId, text }))
    })
  }
)
export type Live = LivePart.Live

/** A run that holds its session. */
const SnapshotRun = Schema.Struct({ run: Run, crashed: Schema.Boolean }).annotations({ identifier: "SnapshotRun" })

/** A session as it is now, and the cursor from which events go on. */
export const Snapshot = Schema.Struct({
  session: Session,
  cursor: Cursor,
  /** The oldest durable event that is kept. */
  oldest: Cursor,
  /** The run that holds the session, or null; `crashed` when its engine is known to be dead or has lost its lease. */
  run: Schema.NullOr(SnapshotRun),
  queued: Schema.Array(Run),
  batch: OpenBatch,
  questions: Schema.Array(Question),
  /**
   * What the running step has written so far; at most a second old when the run is elsewhere. Null when no step runs.
   */
  live: Schema.NullOr(Live)
}).annotations({ identifier: "Snapshot" })
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

/** The outcome for one session of `patchMany`. */
export const SessionChange = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("Changed"), session: Session }).annotations({ identifier: "SessionChanged" }),
  Schema.Struct({ _tag: Schema.Literal("Failed"), sessionId: SessionId, error: SkeinError.Change }).annotations({
    identifier: "SessionNotChanged"
  })
).annotations({ identifier: "SessionChange" })
export type SessionChange = NamedUnion<typeof SessionChange.Type>

/** An imported session: its id in the export, its id here, and how many of its grants were left out. */
export const ImportedSession = Schema.Struct({
  from: SessionId,
  sessionId: SessionId,
  grantsLeftOut: Schema.optionalWith(Schema.NonNegativeInt, { default: () => 0 })
}).annotations({ identifier: "ImportedSession" })
export type ImportedSession = Named<typeof ImportedSession.Type>
