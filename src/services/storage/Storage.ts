/**
 * Storage: where every session is kept. There are two tags, so that a layer's type says whether it can change anything.
 * `StorageReader` reads snapshots: it never writes, waits for no writer and makes nobody wait. `Storage` makes changes.
 *
 * Each operation of `Storage` is one commit: everything it describes happens, or nothing does. Before it returns, the
 * commit is durable and its events can be read. The conditions of a change are checked inside that same commit, so two
 * processes can never both pass the check. Operations of a run carry its lease and are refused with `LeaseLost` once
 * the session has a newer fencing number. Callers that must branch on an outcome get it as data, not as an error.
 *
 * Messages and whole metadata arrive checked, with the JSON text to store. These rules hold for all operations:
 * - Refusals take precedence in this order: what the input alone shows (`InvalidInput`), `SessionNotFound`,
 *   `LeaseLost`, `SessionDeleting`, then the others in the order in which the operation's text names them.
 * - A hidden session exists only for `deleting`, `storedRows`, `heldRuns`, `purge`, `forget`, `createSession` and the
 *   steps of an import; for everything else it does not exist.
 * - A lease is lost when its run does not hold the session or has ended, when the fencing number differs, and when the
 *   session is gone. Each start and each takeover raises the number by one and counts as a sign of life of the engine
 *   that performs it.
 * - While a session is being deleted, only these operations with a lease pass, so that the run can close:
 *   `storeResult`, `endRun`, `releaseRun` and `saveDrafts`. `startCall`, which cannot fail with `SessionDeleting`,
 *   fails with `LeaseLost`. `takeOver`, `cancelQueued` and `requestCancel` pass too.
 * - Every operation that records an event sets the session's `updatedAt`, except an import. So do a patch of metadata
 *   and a takeover, and nothing else. What changes nothing (a call that is completed again) and the steps of a deletion
 *   record nothing.
 * - Events are references: on replay, `session.created` and the events of `patch` show today's values.
 * - `Actor.Current` of the calling fiber is stored with what `createSession`, `patch`, `append`, `admit`, `resume`,
 *   `cancelQueued`, `requestCancel`, `answer`, `saveAsset`, `deleteAsset` and `finishImport` record: in their events,
 *   and in the entries and the run that they create. The actor of a run's start, of its message and of the title taken
 *   from that message is the run's sender, whoever starts it. `RunEnd` names the actor of a run's end. All other events
 *   and entries have no actor, including those of calls that are closed on the way.
 */
import { Context } from "effect"
import type { Effect, Option, Stream } from "effect"
import type { Actor } from "../../domain/Actor.js"
import type { Asset, AssetId } from "../../domain/Asset.js"
import type { AgentName } from "../../domain/AgentName.js"
import type { CallDisplay } from "../../domain/CallDisplay.js"
import type { Checked } from "../../domain/Checked.js"
import type { JsonRecord } from "../../domain/Json.js"
import type { Lease, Presence, TakeoverReason } from "../../domain/Lease.js"
import type { Draft } from "../../domain/Live.js"
import type { AssistantMessage, Entry, Message, ResultMessage, UserMessage } from "../../domain/Message.js"
import type { ModelRef } from "../../domain/ModelRef.js"
import type { Placement } from "../../domain/Placement.js"
import type { OpenBatch, OpenCall } from "../../domain/OpenBatch.js"
import type { Answer, Question, QuestionId } from "../../domain/Permission.js"
import type { EndedRun, QueuedRun, Ref, Run, RunId, RunningRun, RunQuery, StopReason } from "../../domain/Run.js"
import type { Cursor, Owner, Seq, Session, SessionId } from "../../domain/Session.js"
import type * as SessionEvent from "../../domain/SessionEvent.js"
import type { TimelineRow } from "../../domain/Timeline.js"
import type { Timestamp } from "../../domain/Timestamp.js"
import type {
  AppendRefused,
  AssetNotFound,
  Change,
  Create,
  CursorGone,
  IdempotencyConflict,
  LeaseLost,
  MessageNotFound,
  PlacementNotServed,
  QuestionAnswered,
  QuestionNotFound,
  Read,
  RunNotFound,
  SessionBusy,
  SessionNotFound,
  Write
} from "../../domain/SkeinError.js"
import type { ExportReader, ImportWriter } from "./Transfer.js"
import type { Activity, HeldRun, LeftSince, Occupancy } from "./StoredRuns.js"
import type { SessionReads, UnsettledSession } from "./StoredSessions.js"

export type { OpenBatch, OpenCall }
export type { ExportReader, ImportWriter }
export type { Activity, HeldRun, Holder, LeftSince, Occupancy } from "./StoredRuns.js"
export type {
  ListQuery,
  SessionChanges,
  SessionReads,
  SessionState,
  StoredActivity,
  StoredListing,
  StoredPage,
  Tenancy,
  UnsettledSession
} from "./StoredSessions.js"

/** A part of a transcript, both places included. Defaults to all of it. */
export interface TranscriptRange {
  readonly sessionId: SessionId
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/**
 * A page of events. With `entries`, each `message.appended` and `call.finished` carries its entry, and each
 * `permission.asked` its question, unless that is damaged. Such a page ends before its messages exceed a mebibyte, but
 * always has its first event: only an empty page is the last.
 */
export interface EventPage {
  readonly sessionId: SessionId
  readonly after: number
  readonly limit: number
  readonly entries?: boolean | undefined
}

/** What can be read. No read waits for a writer, and none writes. */
export interface ReaderService extends SessionReads, ExportReader {
  /** A session that is not hidden. Fails with `SessionNotFound` once a commit has hidden a deleted session. */
  readonly session: (sessionId: SessionId) => Effect.Effect<Session, SessionNotFound | Read>
  /**
   * The transcript up to the head, or the part of it from place `from` to place `to`, both included, read page by page.
   * At a row that does not decode, fails with `RowDamaged` after the entries before it.
   */
  readonly transcript: (range: TranscriptRange) => Stream.Stream<Entry, SessionNotFound | Read>
  /**
   * Steps and calls, including calls without a result, in the order of their places: all of them, or those from place
   * `from` to place `to`. Fails as `transcript` does.
   */
  readonly timeline: (range: TranscriptRange) => Stream.Stream<TimelineRow, SessionNotFound | Read>
  readonly run: (runId: RunId) => Effect.Effect<Run, RunNotFound | Read>
  /** Runs of a session, the newest first; `RunNotFound` when it has no run `before`. */
  readonly runs: (query: RunQuery) => Effect.Effect<ReadonlyArray<Run>, SessionNotFound | RunNotFound | Read>
  /** The entry at a place: one of the transcript, or a result beyond the head that waits for earlier ones. */
  readonly entry: (place: {
    readonly sessionId: SessionId
    readonly seq: Seq
  }) => Effect.Effect<Entry, SessionNotFound | MessageNotFound | Read>
  /** The oldest cursor from which events can be asked for. */
  readonly oldestCursor: (sessionId: SessionId) => Effect.Effect<Cursor, SessionNotFound | Read>
  readonly activity: (sessionId: SessionId) => Effect.Effect<Activity, SessionNotFound | Read>
  /** The same without the queued runs: what it reads does not grow with the queue. */
  readonly occupancy: (sessionId: SessionId) => Effect.Effect<Occupancy, SessionNotFound | Read>
  readonly openBatch: (sessionId: SessionId) => Effect.Effect<OpenBatch, SessionNotFound | Read>
  /**
   * Sessions with a run that has not ended, ordered by their oldest such run, except those being deleted and those
   * whose run was left earlier than `since` and has no answer that was not followed (`Occupancy.isAnswered`).
   */
  readonly unsettled: (since: LeftSince) => Effect.Effect<ReadonlyArray<UnsettledSession>, Read>
  /** The runs that an engine holds, hidden sessions' too. A run that it thinks it holds but is missing here is lost. */
  readonly heldRuns: (instance: string) => Effect.Effect<ReadonlyArray<HeldRun>, Read>
  /** The draft of the running step, as its engine last saved it; none once the step is stored. */
  readonly draft: (sessionId: SessionId) => Effect.Effect<Option.Option<Draft>, Read>
  /**
   * At most `limit` durable events that follow cursor `after` (0 for the oldest kept), in order, without a gap.
   * `CursorGone` when `after` is newer than the newest event, or older than the one just before the oldest.
   */
  readonly events: (
    range: EventPage
  ) => Effect.Effect<ReadonlyArray<SessionEvent.Durable>, SessionNotFound | CursorGone | Read>
  /** Questions without an answer, oldest first; of one session, or of all; if an owner is given, of the owner's sessions. */
  readonly questions: (sessionId: SessionId | null, owner?: Owner) => Effect.Effect<ReadonlyArray<Question>, Read>
  readonly question: (questionId: QuestionId) => Effect.Effect<Question, QuestionNotFound | Read>
  /** The tools that a human allowed for the rest of the session; none for a session that does not exist. */
  readonly granted: (sessionId: SessionId) => Effect.Effect<ReadonlySet<string>, Read>
  readonly asset: (sessionId: SessionId, assetId: AssetId) => Effect.Effect<Asset, AssetNotFound | Read>
  /** Oldest first. */
  readonly assets: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<Asset>, SessionNotFound | Read>
  /** Sessions whose deletion has begun and is not finished, and hidden ones that are being imported. */
  readonly deleting: Effect.Effect<ReadonlyArray<{ readonly sessionId: SessionId; readonly hidden: boolean }>, Read>
  /** How many rows `purge` has to remove from a session, hidden or not; 0 for one that does not exist. */
  readonly storedRows: (sessionId: SessionId) => Effect.Effect<number, Read>
}

/** The reading half of a storage, as a service. */
export class StorageReader extends Context.Tag("skein/StorageReader")<StorageReader, ReaderService>() {}

/** A session to create. */
export interface NewSession {
  readonly id: SessionId
  /** Null for a session that gets its title from its first message. */
  readonly title: string | null
  readonly owner: Owner | null
  readonly workdir: string | null
  readonly placement: Placement | null
  readonly parent: SessionId | null
  readonly agent: AgentName | null
  readonly model: ModelRef | null
  readonly metadata: Checked<JsonRecord>
}

/** Changes to a session's fields. */
export interface SessionPatch {
  readonly title?: string | undefined
  readonly model?: ModelRef | null | undefined
  readonly agent?: AgentName | null | undefined
  readonly workdir?: string | null | undefined
  readonly metadata?: JsonRecord | undefined
}

/** A user message to store with the run that it starts. */
export interface Admission {
  readonly sessionId: SessionId
  readonly runId: RunId
  readonly message: Checked<UserMessage>
  readonly metadata: Checked<JsonRecord>
  /** The JSON Schema of the answer that is asked for; null for a text of any form. */
  readonly output: Checked<JsonRecord> | null
  readonly idempotencyKey: string | null
  /**
   * A hash of everything that the caller sent but the types of files, whatever the order of its fields. This is the hash
   * that is stored.
   */
  readonly hash: string
  /** A hash of the texts as they arrived: what earlier versions stored as `hash`. */
  readonly textHash: string
  readonly whenBusy: "refuse" | "queue"
  readonly presence: Presence
}

/** A request to go on from a session's transcript without a new message. */
export interface Resumption {
  readonly sessionId: SessionId
  /** The id of the new run. */
  readonly runId: RunId
  /** What to go on with: a run, the run of an idempotency key, or the session's newest run. */
  readonly of: { readonly runId: RunId } | { readonly idempotencyKey: string } | "newest"
  readonly presence: Presence
}

/** The key under which a retry finds messages appended. */
export interface AppendKey {
  readonly key: string
  /** A hash of the messages; the same key with another hash is a conflict. */
  readonly hash: string
}

/** A run that may go on, with its lease. */
export interface StartedRun {
  readonly run: RunningRun
  readonly ref: Ref
  readonly lease: Lease
}

/** What became of an admission. */
export type AdmissionOutcome =
  /** The session was free: the lease is taken, the user message appended. */
  | ({ readonly _tag: "Started" } & StartedRun)
  /** The run is stored and waits for its turn; its message has no place yet. */
  | { readonly _tag: "Queued"; readonly run: QueuedRun; readonly ref: Ref }
  /** The idempotency key was used for this very message; its run, whatever its state. */
  | { readonly _tag: "Existing"; readonly run: Run; readonly ref: Ref }
  /**
   * The session is not free and the caller did not want to queue: nothing was stored, no key consumed. `runId` is the
   * run in the way: the one that holds the session, else the oldest queued one.
   */
  | { readonly _tag: "Busy"; readonly runId: RunId }

/** A lease to take over, as it was seen. */
export interface Takeover {
  readonly lease: Lease
  /** How many signs of life its engine had given; 0 for a run that was released. */
  readonly count: number
  readonly reason: TakeoverReason
  /** When it was seen, on the clock of the engine that takes it over: the clock that dates its writes. */
  readonly lookedAt: Timestamp
  /** Whether the run goes on from its transcript, or ends unless it waits for a human. */
  readonly recovery: "continue" | "end"
}

/** What became of a take-over. */
export type TakeoverOutcome =
  /** Open calls were closed and the run ended. */
  | { readonly _tag: "Ended" }
  /** The run goes on under a new lease. */
  | ({ readonly _tag: "Continues" } & StartedRun)
  /** Somebody else was faster, or the run had ended. */
  | { readonly _tag: "Lost" }

/**
 * Which events to keep: those since `before`, and of these the newest `keep` of each session. The first event that is
 * young enough is found by bisection (`domain/Retention`).
 */
export interface Retention {
  readonly before: Timestamp
  readonly keep: number
  /** Nothing is done when all sessions have been checked since this time. */
  readonly since: Timestamp
}

/** How a run ends. */
export interface RunEnd {
  readonly stopReason: StopReason
  readonly detail: string | null
  /** Who ended it: the actor of the event. Defaults to nobody. */
  readonly actor?: Actor | null
}

/** What the commit of a step stores besides the step's message. */
export interface StepSequel {
  /** Calls that start in the same commit, by their index in the message; each as by `startCall`. */
  readonly starts?: ReadonlyArray<number>
  /** How the message's calls are shown, by their index, as far as that is known. */
  readonly displays?: ReadonlyArray<CallDisplay>
  /** When the step began. */
  readonly startedAt?: Timestamp
  /** The run's end, as by `endRun`. */
  readonly end?: RunEnd
}

/** What became of a completion. */
export interface StoredResult {
  /** The stored result: the given one, or the one that came first. */
  readonly result: ResultMessage
}

/** Every change that an engine makes to what is stored. */
export interface Service extends ImportWriter {
  /**
   * Creates a session. Fails with `SessionExists` also while a deleted session with that id has not been forgotten.
   * Event `session.created`: its cursor is 1, or two past the highest cursor of any forgotten session, so that old
   * cursors are rejected.
   */
  readonly createSession: (session: NewSession) => Effect.Effect<Session, Create>
  /**
   * Changes the given fields in one commit, all or nothing; the other fields stay as they are. A title is folded and
   * checked against the limits, and from then on the session counts as named. Metadata fields are set, or removed when
   * given as null. The limit applies to the merged metadata, so the commit that merges checks it: `InvalidInput` of
   * `metadata`. Events, in this order: `session.renamed`, `session.model`, `session.agent`, `session.moved`; none for
   * metadata. A patch without fields stores nothing.
   */
  readonly patch: (sessionId: SessionId, patch: SessionPatch) => Effect.Effect<Session, Change>
  /**
   * Appends messages outside any run, all or nothing. A key is checked first, among the keys of appended messages: if
   * it was used for these very messages, they are returned as they were appended, else it is an `IdempotencyConflict`.
   * Then the append is refused with `SessionBusy` while a run holds the session or waits for it, then with
   * `AppendRefused`. Adds the messages' usage. Event `message.appended` for each message. The title stays.
   */
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<Checked<Message>>,
    appendKey?: AppendKey
  ) => Effect.Effect<ReadonlyArray<Entry>, Change | IdempotencyConflict | AppendRefused | SessionBusy>

  /**
   * Stores a run in one commit, and starts it in that commit when the session is free: no run holds it and none is
   * queued. A key belongs to the session and is checked first: `Existing` when the hash stored with it equals `hash` or
   * `textHash`, with the newest run that went on with the key's run, else `IdempotencyConflict`. Then the engine must
   * serve the session's placement (`PlacementNotServed`), whether or not the run would start, and the asset of every
   * file part must exist (`AssetNotFound`). Starting appends the user message; when nobody has named the session and
   * its title is still `untitled`, the text gives it a title. Events `run.started`, `message.appended`,
   * `session.renamed` if it was titled; or `run.queued`. The ref's cursor is the one before the first of them.
   */
  readonly admit: (
    admission: Admission
  ) => Effect.Effect<AdmissionOutcome, Change | IdempotencyConflict | PlacementNotServed | AssetNotFound>
  /**
   * Goes on with a run that ended without an answer, in a new run with the same metadata and output. Fails with
   * `RunNotFound` or, for a key, `InvalidInput` when the session has no such run. A run that was resumed before stands
   * for the newest run that went on with it. `Existing` when nothing is left to do: a run named by id or key is
   * waiting, running or completed, or a later run has begun since; the newest has completed and nothing was appended
   * since. Else it is refused with `PlacementNotServed`, starts as `admit` would, or is `Busy`. Event `run.started`.
   */
  readonly resume: (
    resumption: Resumption
  ) => Effect.Effect<Exclude<AdmissionOutcome, { readonly _tag: "Queued" }>, Change | RunNotFound | PlacementNotServed>
  /** Starts the oldest queued run when no run holds the session, as `admit` would have; its ref stays as it is. */
  readonly startNext: (sessionId: SessionId, presence: Presence) => Effect.Effect<Option.Option<StartedRun>, Change>
  /**
   * Removes a queued run from the queue: it ends as `cancelled` without having begun; event `run.ended`. Returns false
   * when it is not queued.
   */
  readonly cancelQueued: (runId: RunId) => Effect.Effect<boolean, Write>
  /**
   * Asks the engine of a running run, wherever it is, to cancel that run: see `heldRuns`. Returns false when the run is
   * not running. A run with such a request ends when it is taken over.
   */
  readonly requestCancel: (runId: RunId) => Effect.Effect<boolean, Write>
  /**
   * Takes over the run of another engine. `Lost` unless `lease` is still the newest and its engine has given no sign of
   * life since it was seen. Also `Lost` for a silent engine's run more than a second after its lease was seen, because
   * storage was held up. Started calls are closed as `interrupted`. Then, by `recovery`:
   * - `continue`: the run goes on, and its pending calls stay open; event `run.released`, unless the run was released
   *   before. After three takeovers from dead or silent engines without growth of its transcript, the next one ends it
   *   as `crashed`. Takeovers of released runs are not counted.
   * - `end`: pending calls that no human was asked about are closed as `never-started`. Those with a question, answered
   *   or not, stay open and the run goes on; without such calls it ends, as by `endRun`.
   *
   * Whatever `recovery` says, a run ends when somebody asked to cancel it or its session is being deleted. It ends with
   * the given reason; a released run ends as `deleted`, `cancelled` or `crashed`.
   */
  readonly takeOver: (seen: Takeover, presence: Presence) => Effect.Effect<TakeoverOutcome, Write | SessionNotFound>
  /** Gives a sign of life for all leases that the engine holds. */
  readonly renew: (presence: Presence) => Effect.Effect<void, Write>
  /**
   * Stores the drafts of running steps for watchers in other processes; each replaces the session's earlier draft.
   * Drafts whose lease is lost are left out. No event.
   */
  readonly saveDrafts: (
    drafts: ReadonlyArray<{ readonly lease: Lease; readonly draft: Draft }>
  ) => Effect.Effect<void, Write>

  /**
   * Appends a step's message, adds its usage to run and session and, when it asks for calls, opens the batch: one place
   * per call, reserved in call order right after the message. Event `message.appended`. Then comes the sequel. Returns
   * the open calls; none when the run has ended.
   */
  readonly appendStep: (
    lease: Lease,
    message: Checked<AssistantMessage>,
    sequel?: StepSequel
  ) => Effect.Effect<
    { readonly entry: Entry; readonly calls: ReadonlyArray<OpenCall> },
    LeaseLost | Change | AppendRefused
  >
  /**
   * Marks a pending call as started; event `call.started`. Returns false when no call at `seq` is still pending.
   * `display` is how the call is shown, when that was not stored with its step.
   */
  readonly startCall: (lease: Lease, seq: Seq, display?: CallDisplay) => Effect.Effect<boolean, LeaseLost | Write>
  /**
   * Stores a call's result at its place and moves the head over the contiguous results; events `call.finished`, then
   * `message.appended` for each place that the head passed. The first result of a call wins: completing the call again
   * returns the stored result. Fails with `InvalidInput` of `seq` when no call has that place, and of `result.callId`
   * when another call has it.
   */
  readonly storeResult: (
    lease: Lease,
    seq: Seq,
    result: Checked<ResultMessage>
  ) => Effect.Effect<StoredResult, LeaseLost | Change>
  /**
   * Ends the run and gives the lease back: its unanswered questions are denied (`permission.answered`), oldest first;
   * its open calls are closed, started ones as `interrupted`, others as `never-started`, as if each was completed in
   * call order (`call.finished`, then `message.appended` for each place that the head passed); event `run.ended`.
   */
  readonly endRun: (lease: Lease, end: RunEnd) => Effect.Effect<EndedRun, LeaseLost | Write>

  /**
   * Releases a run without ending it, so that another engine can take it over: no engine holds the run any more, but
   * the run still holds its session. Its started calls are closed as `interrupted`; its pending calls and their open
   * questions stay. Event `run.released`. The lease is lost.
   */
  readonly releaseRun: (lease: Lease) => Effect.Effect<RunningRun, LeaseLost | Write>

  /**
   * Stores a question about a pending call or, with a `display.inquiry`, one that a started call asks; else fails with
   * `InvalidInput` of `seq`. Event `permission.asked`. When a call that has asked ends, its unanswered question is
   * answered as `overtaken`. Returns null, and stores nothing, about a pending call whose tool is granted.
   */
  readonly ask: (
    lease: Lease,
    question: Omit<Question, "sessionId" | "runId" | "answer" | "askedAt">
  ) => Effect.Effect<Question | null, LeaseLost | Change>
  /**
   * The first answer wins; event `permission.answered`. `allow-for-session` also grants the tool for the session, and
   * answers the session's other open questions about that tool, oldest first, except those with an inquiry.
   */
  readonly answer: (
    questionId: QuestionId,
    answer: Answer
  ) => Effect.Effect<Question, Change | QuestionNotFound | QuestionAnswered>

  /** The first step of a deletion: no more messages, runs or answers. Succeeds also when it had begun before. */
  readonly beginDelete: (sessionId: SessionId) => Effect.Effect<void, SessionNotFound | Write>
  /**
   * Hides a session whose deletion has begun (else `SessionNotFound`) and which no run holds (else `SessionBusy`): it
   * can no longer be found. `EventSignals.signalGone` announces that, with its owner.
   */
  readonly hide: (sessionId: SessionId) => Effect.Effect<void, SessionNotFound | SessionBusy | Write>
  /**
   * Removes a bounded number of a hidden session's rows, and returns how many: 0 when nothing but the session's own row
   * is left, or the session is not hidden.
   */
  readonly purge: (sessionId: SessionId) => Effect.Effect<number, Write>
  /**
   * Removes a purged session's own row; its id is free again, but its cursors are never reused. Does nothing while the
   * session is not hidden or has rows left.
   */
  readonly forget: (sessionId: SessionId) => Effect.Effect<void, Write>

  /**
   * Removes a bounded number of the events that `retention` does not keep, oldest first. A session's newest event
   * stays, and so do the events of runs that have not ended. Cursors before the oldest kept event are gone. Returns
   * false once all sessions have been checked. Records no event and changes no session's times. What to remove is found
   * before the commit, so that no write waits for the search.
   */
  readonly prune: (retention: Retention) => Effect.Effect<boolean, Write>

  /** Stores the row of an asset whose file is already in its place; event `asset.saved`. */
  readonly saveAsset: (asset: Asset) => Effect.Effect<Asset, Change>
  /** Removes an asset's row; event `asset.deleted`. Messages that name it stay. */
  readonly deleteAsset: (sessionId: SessionId, assetId: AssetId) => Effect.Effect<Asset, Change | AssetNotFound>
}

/** The writing half of a storage, as a service. */
export class Storage extends Context.Tag("skein/Storage")<Storage, Service>() {}
