/**
 * Gateway: the one entry for clients. It checks what it is given, then routes: reads go to the snapshot reader, every
 * change to the Runtime and so through the session's boundary. Its layer's type has no `Storage`: there is no other way
 * to a change.
 *
 * Operations that read are named by what they return, operations that change by what they do. Every operation checks its
 * input first and fails with `InvalidInput`, naming the field, before it looks at anything.
 */
import { Context, Effect, type Scope, type Stream } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import { ForeignMessage } from "../../domain/ForeignMessage.js"
import { CallDisplay } from "../../domain/CallDisplay.js"
import type { Entry } from "../../domain/Message.js"
import type { OfferedAgent } from "../../domain/Offer.js"
import { OpenBatch, OpenCall } from "../../domain/OpenBatch.js"
import type { Question, QuestionId } from "../../domain/Permission.js"
import type { EndedRun, Ref, Run, RunId, RunQuery } from "../../domain/Run.js"
import type { Owner, Session, SessionId } from "../../domain/Session.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import { SessionActivity } from "../../domain/SessionActivity.js"
import { ChangesQuery, SessionHint } from "../../domain/SessionHint.js"
import { ListedSession, SessionPage, SessionQuery } from "../../domain/SessionPage.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { TimelineCall, TimelineRow, TimelineStep } from "../../domain/Timeline.js"
import * as Restricted from "./Restricted.js"
import type { Restriction } from "./Restricted.js"
import { ImportedSession, Live, SessionChange, Snapshot } from "./Replies.js"
import {
  Answer,
  AssetRange,
  Create,
  EntryPlace,
  EventRange,
  ExportSessions,
  ImportSessions,
  NewAsset,
  Patch,
  PatchMany,
  Recover,
  ResumedRun,
  Send,
  TranscriptRange
} from "./Requests.js"

export { operations } from "./Operations.js"
export type { Restriction } from "./Restricted.js"
export {
  Answer,
  AssetRange,
  ChangesQuery,
  CallDisplay,
  Create,
  EntryPlace,
  EventRange,
  ExportSessions,
  ForeignMessage,
  ImportedSession,
  ImportSessions,
  ListedSession,
  Live,
  NewAsset,
  OpenBatch,
  OpenCall,
  Patch,
  PatchMany,
  Recover,
  ResumedRun,
  Send,
  SessionActivity,
  SessionChange,
  SessionHint,
  SessionPage,
  SessionQuery,
  Snapshot,
  TimelineCall,
  TimelineRow,
  TimelineStep,
  TranscriptRange
}

/** The operations for clients. */
export interface Service {
  /**
   * The agents that sessions may be set to here, each with the models that are listed of it and their prices. Empty where
   * nobody can list them, as in a process without an engine.
   */
  readonly agents: () => Effect.Effect<ReadonlyArray<OfferedAgent>, SkeinError.InvalidInput>
  /** Creates a session. Fails with `SessionExists` when its id is taken. */
  readonly create: (input: Create) => Effect.Effect<Session, SkeinError.Create>
  readonly session: (sessionId: SessionId) => Effect.Effect<Session, SkeinError.ReadSession>
  /** Lists sessions and what each of them does, the last created or the last changed first, page by page. */
  readonly sessions: (query?: SessionQuery) => Effect.Effect<SessionPage, SkeinError.List>
  /** The transcript in `seq` order, whole or from place `from` to place `to`. */
  readonly transcript: (range: TranscriptRange) => Stream.Stream<Entry, SkeinError.ReadSession>
  /**
   * What the session did and when: one short row for each step and each call, in `seq` order, calls without a result
   * included; whole or from place `from` to place `to`. It is kept as long as the transcript.
   */
  readonly timeline: (range: TranscriptRange) => Stream.Stream<TimelineRow, SkeinError.ReadSession>
  /** The entry at a place: one of the transcript, or a result beyond its head that waits for earlier ones. */
  readonly entry: (place: EntryPlace) => Effect.Effect<Entry, SkeinError.ReadEntry>
  /** Stores a message and returns at once with the run that it starts, or that waits for its turn. */
  readonly send: (input: Send) => Effect.Effect<Ref, SkeinError.Send>
  /**
   * Goes on from the transcript as it is, without a new message, such as after a crash: with a run that was left behind,
   * else in a new run that stands for the one that ended without an answer. Returns that run. When nothing is open, it is
   * the run that is meant, or the newest that went on with it: one that has its answer, still runs or waits, or that the
   * session went on without.
   */
  readonly resume: (sessionId: SessionId, of?: ResumedRun) => Effect.Effect<Ref, SkeinError.Resume>
  /**
   * Takes up what engines left behind that died or were closed, and starts runs that wait, while this engine drives fewer
   * runs than the limit. Returns the sessions whose runs go on here. Runs that were left too long ago wait for `resume`.
   */
  readonly recover: (which?: Recover) => Effect.Effect<ReadonlyArray<SessionId>, SkeinError.Recover>
  /**
   * Appends messages outside any run, such as a transcript from elsewhere, whose call ids may be any texts. A call whose
   * id is not a `CallId` gets a new one, and so does its result. Both keep the id that was given as `foreignCallId`. With
   * an idempotency key, the same messages again are not appended twice.
   */
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<ForeignMessage>,
    idempotencyKey?: string
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Append>
  /** Stops a run, or takes it from the queue. Returns when its end is stored. */
  readonly cancel: (runId: RunId) => Effect.Effect<void, SkeinError.Cancel>
  /** Changes a session's title, model, agent, folder or metadata, in one commit. */
  readonly patch: (input: Patch) => Effect.Effect<Session, SkeinError.Change>
  /** Changes many sessions, one by one, and returns the outcome for each. */
  readonly patchMany: (input: PatchMany) => Effect.Effect<ReadonlyArray<SessionChange>, SkeinError.ChangeMany>
  /** Stops the session's run, then removes everything that belongs to the session. */
  readonly delete: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  readonly run: (runId: RunId) => Effect.Effect<Run, SkeinError.ReadRun>
  /** What points at a run, for one whose id alone is known. */
  readonly runRef: (runId: RunId) => Effect.Effect<Ref, SkeinError.ReadRun>
  /**
   * Runs of a session, the newest first, page by page; or the one of an idempotency key. Fails with `RunNotFound` when the
   * session has no run `before`.
   */
  readonly runs: (query: RunQuery) => Effect.Effect<ReadonlyArray<Run>, SkeinError.ReadRuns>
  /**
   * Waits for a run's end. Fails at once with `AwaitInTransaction` inside a SQL transaction (commit first), and with
   * `AwaitOwnSession` inside a tool of the run's own session.
   */
  readonly await: (ref: Ref) => Effect.Effect<EndedRun, SkeinError.Await>
  /**
   * Events after a cursor, or all that are kept: replay, then live. Ends with `session.deleted` when the session is
   * gone. Fails with `CursorGone` when the events after the cursor are no longer kept.
   */
  readonly events: (range: EventRange) => Stream.Stream<SessionEvent, SkeinError.Events>
  /**
   * The same, for those who answer before they stream, such as a server: fails at once when there is no such session or
   * the cursor is gone. The subscription lasts as long as the scope.
   */
  readonly subscribe: (
    range: EventRange
  ) => Effect.Effect<Stream.Stream<SessionEvent, SkeinError.Events>, SkeinError.Events, Scope.Scope>
  /**
   * Hints for all sessions: that one has changed, and what it does now, in the order of the commits. At most one a session
   * is told in a moment, and at most one waits for a subscriber that does not read. The stream begins with a `gap`, which
   * says to load the list, and has one wherever it cannot tell what has changed: more than 1,000 sessions wait, another
   * process has deleted one, or the clock was set back. That an engine has died is no change until its run is claimed.
   */
  readonly changes: (query?: ChangesQuery) => Stream.Stream<SessionHint, SkeinError.List>
  readonly snapshot: (sessionId: SessionId) => Effect.Effect<Snapshot, SkeinError.ReadSession>
  readonly question: (questionId: QuestionId) => Effect.Effect<Question, SkeinError.ReadQuestion>
  /** Questions that wait for an answer, of one session or of all, oldest first. */
  readonly questions: (sessionId?: SessionId) => Effect.Effect<ReadonlyArray<Question>, SkeinError.ReadSession>
  /** Answers a question. The first answer wins; a later one fails with `QuestionAnswered`. */
  readonly answer: (input: Answer) => Effect.Effect<Question, SkeinError.Answer>
  /** Stores a file with a session. Fails with what its content fails with, too. */
  readonly saveAsset: <E = never>(
    input: NewAsset & { readonly content: Stream.Stream<Uint8Array, E> }
  ) => Effect.Effect<Asset, SkeinError.SaveAsset | E>
  readonly assets: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<Asset>, SkeinError.ReadSession>
  /** An asset's content, whole or `length` bytes from `offset`. */
  readonly openAsset: (range: AssetRange) => Stream.Stream<Uint8Array, SkeinError.OpenAsset>
  readonly deleteAsset: (sessionId: SessionId, assetId: AssetId) => Effect.Effect<Asset, SkeinError.DeleteAsset>
  /**
   * Sessions as lines of JSON, each with its line end: transcripts, runs, questions, assets, all that readers see of them
   * but events. Of a session with a run, what is settled: no calls without results, and the run as one that crashed.
   */
  readonly exportSessions: (which?: ExportSessions) => Stream.Stream<string, SkeinError.Export>
  /**
   * Imports what `exportSessions` gave: all of it is seen at once, or nothing stays. Fails with `ImportRefused`, which names
   * the line, when the content is no whole export or not within this engine's limits, with `SessionExists` when a session
   * has the id of one of them, and with what the content fails with, too.
   */
  readonly importSessions: <E = never>(
    input: ImportSessions & { readonly content: Stream.Stream<Uint8Array, E> }
  ) => Effect.Effect<ReadonlyArray<ImportedSession>, SkeinError.Import | E>
}

/** The one entry for clients, as a service. */
export class Gateway extends Context.Tag("skein/Gateway")<Gateway, Service>() {}

/**
 * The same methods, narrowed to one owner's sessions, to reading, or to both. Another owner's session, run or question is
 * not found, as one that is not there; sessions are created for the owner, lists hold the owner's only. With the scope
 * "read" every change fails with `Forbidden`.
 */
export const restrict = (restriction: Restriction): Effect.Effect<Service, never, Gateway> =>
  Effect.map(Gateway, (gateway) => Restricted.narrow(gateway, restriction))

/** The same methods, narrowed to one owner's sessions. */
export const forOwner = (owner: Owner): Effect.Effect<Service, never, Gateway> => restrict({ owner })

/** Runs an effect with the gateway narrowed, so that `Run.answer` and its like see no more than that. */
export const restricted =
  (restriction: Restriction) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Gateway> =>
    Effect.flatMap(restrict(restriction), (gateway) => Effect.provideService(effect, Gateway, gateway))
