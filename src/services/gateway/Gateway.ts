/**
 * Gateway: the one entry for clients. It checks its input, then routes: reads go to the snapshot reader, every change
 * to the Runtime and so through the session's boundary. Its layer's type has no `Storage`: there is no other way to
 * make a change.
 *
 * Operations that read are named after what they return, operations that change after what they do. Every operation
 * checks its input first and fails with `InvalidInput`, naming the field, before it reads anything.
 */
import { Context, Effect, type Scope, type Stream } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import { ForeignMessage } from "../../domain/ForeignMessage.js"
import { CallDisplay } from "../../domain/CallDisplay.js"
import type { Limits } from "../../domain/Limits.js"
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
  QuestionQuery,
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
  QuestionQuery,
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

/** What is imported. */
export interface ImportContent<out E> {
  /** The bytes of an export. */
  readonly content: Stream.Stream<Uint8Array, E>
  /** Returns the folder that a session works in here, for the one in the export; null for none. Defaults to the same. */
  readonly workdirFor?: (workdir: string) => Effect.Effect<string | null>
}

/** The operations for clients. */
export interface Service {
  /**
   * Returns the agents that sessions can use here, each with its listed models and their prices. Empty where they
   * cannot be listed, as in a process without an engine.
   */
  readonly agents: () => Effect.Effect<ReadonlyArray<OfferedAgent>, SkeinError.InvalidInput>
  /** Returns the upper bounds of what is stored here. Over HTTP, `assetBytes` is what the caller may upload. */
  readonly limits: () => Effect.Effect<Limits, SkeinError.InvalidInput>
  /** Creates a session. Fails with `SessionExists` when its id is taken. */
  readonly create: (input: Create) => Effect.Effect<Session, SkeinError.Create>
  readonly session: (sessionId: SessionId) => Effect.Effect<Session, SkeinError.ReadSession>
  /** Lists sessions with the activity of each, page by page, the last created or the last changed first. */
  readonly sessions: (query?: SessionQuery) => Effect.Effect<SessionPage, SkeinError.List>
  /** The transcript in `seq` order, whole or from place `from` to place `to`. */
  readonly transcript: (range: TranscriptRange) => Stream.Stream<Entry, SkeinError.ReadSession>
  /**
   * What the session did and when: one short row for each step and each call, calls without a result included, in `seq`
   * order; whole or from place `from` to place `to`. The timeline is kept as long as the transcript.
   */
  readonly timeline: (range: TranscriptRange) => Stream.Stream<TimelineRow, SkeinError.ReadSession>
  /** Returns the entry at a place of the transcript, or a result beyond its head that waits for earlier results. */
  readonly entry: (place: EntryPlace) => Effect.Effect<Entry, SkeinError.ReadEntry>
  /** Stores a message and immediately returns the run that it starts, or that waits for its turn. */
  readonly send: (input: Send) => Effect.Effect<Ref, SkeinError.Send>
  /**
   * Goes on from the transcript as it is, without a new message, for example after a crash: with a run that was left
   * behind, else with the message that waited behind it, else in a new run that replaces the run that ended without an
   * answer. Returns the run that goes on. When there is nothing to go on with, returns the run that was meant, or the
   * newest run that went on with it: it has its answer, still runs or waits, or the session went on without it.
   */
  readonly resume: (sessionId: SessionId, of?: ResumedRun) => Effect.Effect<Ref, SkeinError.Resume>
  /**
   * Takes up the runs that dead or closed engines left behind, and starts runs that wait, while this engine drives
   * fewer runs than the limit. Returns the sessions whose runs go on here. Runs left too long ago wait for `resume`.
   */
  readonly recover: (which?: Recover) => Effect.Effect<ReadonlyArray<SessionId>, SkeinError.Recover>
  /**
   * Appends messages outside any run, such as a transcript from elsewhere. Call ids may be any texts: a call whose id
   * is not a `CallId` gets a new one, and so does its result. Both keep the original id as `foreignCallId`. With an
   * idempotency key, the same messages are not appended twice.
   */
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<ForeignMessage>,
    idempotencyKey?: string
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Append>
  /**
   * Stops a run, or removes it from the queue. Returns when its end is stored. Where storage does not take the end for
   * more than a moment, such as on a full disk, this fails, and the end is stored as soon as it can be.
   */
  readonly cancel: (runId: RunId) => Effect.Effect<void, SkeinError.Cancel>
  /** Changes a session's title, model, agent, folder or metadata, in one commit. */
  readonly patch: (input: Patch) => Effect.Effect<Session, SkeinError.Change>
  /** Changes many sessions, one by one, and returns the outcome for each. */
  readonly patchMany: (input: PatchMany) => Effect.Effect<ReadonlyArray<SessionChange>, SkeinError.ChangeMany>
  /** Stops the session's run, then removes everything that belongs to the session. */
  readonly delete: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  readonly run: (runId: RunId) => Effect.Effect<Run, SkeinError.ReadRun>
  /** Returns the `Ref` of a run of which only the id is known. */
  readonly runRef: (runId: RunId) => Effect.Effect<Ref, SkeinError.ReadRun>
  /**
   * Runs of a session, the newest first, page by page; or the run of an idempotency key. Fails with `RunNotFound` when
   * the session does not have the run `before`.
   */
  readonly runs: (query: RunQuery) => Effect.Effect<ReadonlyArray<Run>, SkeinError.ReadRuns>
  /**
   * Waits for a run's end. Fails immediately with `AwaitInTransaction` inside a SQL transaction (commit first), and
   * with `AwaitOwnSession` inside a tool of the run's own session.
   */
  readonly await: (ref: Ref) => Effect.Effect<EndedRun, SkeinError.Await>
  /**
   * Events after a cursor, or all events that are kept: replay, then live. If `live` is false, it ends with what was there
   * when it began. Ends with `session.deleted` when the session is gone. Fails with `CursorGone` when the events after the
   * cursor are no longer kept.
   */
  readonly events: (range: EventRange) => Stream.Stream<SessionEvent, SkeinError.Events>
  /**
   * The same, for callers that answer before they stream, such as a server: fails before the stream begins when the
   * session does not exist or the cursor is gone. The subscription lasts as long as the scope.
   */
  readonly subscribe: (
    range: EventRange
  ) => Effect.Effect<Stream.Stream<SessionEvent, SkeinError.Events>, SkeinError.Events, Scope.Scope>
  /**
   * Hints for all sessions: that a session has changed, and what it does now, in the order of the commits. Changes of a
   * session in quick succession share one hint, and at most one hint per session waits for a subscriber that does not
   * read. The stream begins with a `gap`, which says to load the list. Another `gap` comes wherever the stream cannot
   * tell what has changed: more than 1,000 sessions wait, another process has deleted a session, or the clock was set
   * back. An engine's death is not a change until its run is claimed.
   */
  readonly changes: (query?: ChangesQuery) => Stream.Stream<SessionHint, SkeinError.List>
  readonly snapshot: (sessionId: SessionId) => Effect.Effect<Snapshot, SkeinError.ReadSession>
  readonly question: (questionId: QuestionId) => Effect.Effect<Question, SkeinError.ReadQuestion>
  /** Questions that wait for an answer, oldest first: of one session, of one owner's sessions, or of all. */
  readonly questions: (which?: QuestionQuery) => Effect.Effect<ReadonlyArray<Question>, SkeinError.ReadSession>
  /** Answers a question. The first answer wins; a later one fails with `QuestionAnswered`. */
  readonly answer: (input: Answer) => Effect.Effect<Question, SkeinError.Answer>
  /** Stores a file with a session. Also fails with the errors of its content. */
  readonly saveAsset: <E = never>(
    input: NewAsset & { readonly content: Stream.Stream<Uint8Array, E> }
  ) => Effect.Effect<Asset, SkeinError.SaveAsset | E>
  readonly assets: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<Asset>, SkeinError.ReadSession>
  /** An asset's content, whole or `length` bytes from `offset`. */
  readonly openAsset: (range: AssetRange) => Stream.Stream<Uint8Array, SkeinError.OpenAsset>
  readonly deleteAsset: (sessionId: SessionId, assetId: AssetId) => Effect.Effect<Asset, SkeinError.DeleteAsset>
  /**
   * Sessions as lines of JSON, each with its line end: transcripts, runs, questions, assets, everything that readers
   * see except events. A session with a run is exported as far as it is settled: without calls that have no result, and
   * with the run as crashed.
   */
  readonly exportSessions: (which?: ExportSessions) => Stream.Stream<string, SkeinError.Export>
  /**
   * Imports what `exportSessions` returned: all sessions appear at the same time, or nothing stays. Fails with
   * `ImportRefused`, which names the line, when the content is not a whole export or exceeds this engine's limits, with
   * `SessionExists` when the id of an imported session is taken, and with the errors of the content.
   */
  readonly importSessions: <E = never>(
    input: ImportSessions & ImportContent<E>
  ) => Effect.Effect<ReadonlyArray<ImportedSession>, SkeinError.Import | E>
}

/** The one entry for clients, as a service. */
export class Gateway extends Context.Tag("skein/Gateway")<Gateway, Service>() {}

/**
 * The same methods, narrowed to one owner's sessions, to reading, or to both. Another owner's session, run or question
 * is not found, as if it did not exist; sessions are created for the owner, and lists hold only the owner's. With the
 * scope "read" every change fails with `Forbidden`.
 */
export const restrict = (restriction: Restriction): Effect.Effect<Service, never, Gateway> =>
  Effect.map(Gateway, (gateway) => Restricted.narrow(gateway, restriction))

/** The same methods, narrowed to one owner's sessions. */
export const forOwner = (owner: Owner): Effect.Effect<Service, never, Gateway> => restrict({ owner })

/** Runs an effect with the gateway narrowed, so that `Run.answer` and similar functions see no more than that. */
export const restricted =
  (restriction: Restriction) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Gateway> =>
    Effect.flatMap(restrict(restriction), (gateway) => Effect.provideService(effect, Gateway, gateway))
