/**
 * The content of the in-memory Storage as one immutable value. It is the reference for the contract of Storage: plain
 * maps and arrays, one pure transition for each operation, written for clarity and not for speed. A transition that
 * changes nothing returns the same state. Limits are part of the state; the time of a change is an argument.
 */
import { Array, Either, HashMap, Option } from "effect"
import type { Actor } from "../../../domain/Actor.js"
import type { Asset } from "../../../domain/Asset.js"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import * as Lease from "../../../domain/Lease.js"
import type { Takeovers } from "../../../domain/Takeover.js"
import * as Tenure from "../../../domain/Tenure.js"
import type { Draft } from "../../../domain/Live.js"
import type { Limits } from "../../../domain/Limits.js"
import type { Entry, UserMessage } from "../../../domain/Message.js"
import { isServed } from "../../../domain/Placement.js"
import type { Question } from "../../../domain/Permission.js"
import * as Run from "../../../domain/Run.js"
import { Cursor, type Seq, type Session, type SessionId } from "../../../domain/Session.js"
import type * as SessionEvent from "../../../domain/SessionEvent.js"
import { LeaseLost, PlacementNotServed, SessionDeleting, SessionNotFound } from "../../../domain/SkeinError.js"
import type { OpenCall } from "../Storage.js"

/** A place that the open batch reserves, until the head passes it. */
export interface BatchCall {
  readonly call: OpenCall
  /** The call's result, while earlier ones are missing. */
  readonly result: Option.Option<Entry>
}

/** What is known about a step or a call besides its entry. */
export interface Times {
  readonly startedAt: number | null
  /** The cursor of a call's `call.finished` event. */
  readonly finished: Cursor | null
  readonly display: CallDisplay.CallDisplay
}

export const noTimes: Times = { startedAt: null, finished: null, display: CallDisplay.none }

export interface RunRecord {
  readonly run: Run.Run
  /** A later run has a higher number, among the runs that are stored. */
  readonly ordinal: number
  /** Null if the run resumes. */
  readonly message: UserMessage | null
  readonly idempotencyKey: string | null
  readonly hash: string
  /** Whether its engine was asked to cancel it. */
  readonly cancelRequested: boolean
  /** Who first asked for that. */
  readonly cancelledBy: Actor | null
  readonly takeovers: Takeovers
  /** The run that went on with this one after its end. */
  readonly resumedBy: Run.RunId | null
}

export interface SessionRecord {
  /** As readers see it, with the head and the newest cursor. */
  readonly session: Session
  /** The number of sessions created up to this one. */
  readonly ordinal: number
  readonly tenure: Tenure.Tenure
  /** The run that holds the session, and its engine unless released; none if the tenure has no holder. */
  readonly holder: Option.Option<{ readonly runId: Run.RunId; readonly engine: Lease.EngineId | null }>
  /** The draft of the running step, as last saved. */
  readonly draft: Option.Option<Draft>
  /** Queued runs, in order. */
  readonly queue: ReadonlyArray<Run.RunId>
  /** The transcript up to the head: the entry of place `seq` at `seq - 1`. */
  readonly entries: ReadonlyArray<Entry>
  /** The places beyond the head; the first of them has no result. */
  readonly batch: ReadonlyArray<BatchCall>
  /** Of steps and of calls with a result, by place. */
  readonly times: HashMap.HashMap<Seq, Times>
  readonly granted: ReadonlySet<string>
  /** The keys of appended messages, and the places of those messages. */
  readonly appendKeys: HashMap.HashMap<string, { readonly hash: string; readonly first: number; readonly last: number }>
  readonly assets: ReadonlyArray<Asset>
  /** As recorded. */
  readonly events: ReadonlyArray<SessionEvent.Durable>
  /** The cursor before that of the first event. */
  readonly floor: number
}

export interface State {
  readonly limits: Limits
  readonly sessions: HashMap.HashMap<SessionId, SessionRecord>
  readonly runs: HashMap.HashMap<Run.RunId, RunRecord>
  /** Of all sessions, oldest first. */
  readonly questions: ReadonlyArray<Question>
  /** The newest sign of life of each engine. */
  readonly beats: HashMap.HashMap<string, Lease.Beat>
  /** The number of sessions created so far. */
  readonly created: number
  /** Where the cursors of new sessions begin: past those of every forgotten session, because ids may be reused. */
  readonly floor: number
  /** The session of the newest change. */
  readonly changed: Option.Option<SessionId>
  /** The number of requests to stop a run so far. */
  readonly stopRequests: number
  /** The number of sessions hidden and of imports finished so far. */
  readonly deletions: number
  /** When old events were last removed. */
  readonly prunedAt: number
}

/** Who asked for a change. */
export interface Asked {
  readonly actor: Actor | null
}

/** An operation's answer and the next state, or its refusal, which changes nothing. */
export type Transition<A, E = never> = Either.Either<readonly [answer: A, state: State], E>

export const empty = (limits: Limits): State => ({
  limits,
  sessions: HashMap.empty(),
  runs: HashMap.empty(),
  questions: [],
  beats: HashMap.empty(),
  created: 0,
  floor: 0,
  changed: Option.none(),
  stopRequests: 0,
  deletions: 0,
  prunedAt: 0
})

/** A session that is not hidden. */
export const visible = (state: State, sessionId: SessionId): Either.Either<SessionRecord, SessionNotFound> =>
  HashMap.get(state.sessions, sessionId).pipe(
    Option.filter(({ tenure }) => tenure.state !== "gone"),
    Either.fromOption(() => new SessionNotFound({ sessionId }))
  )

/** A session that is neither hidden nor being deleted. */
export const changeable = (
  state: State,
  sessionId: SessionId
): Either.Either<SessionRecord, SessionNotFound | SessionDeleting> =>
  Either.flatMap(visible(state, sessionId), undeleted)

/** Refuses a session whose placement the engine does not serve. */
export const served = (
  { session: { id, placement } }: SessionRecord,
  { placements }: Lease.Presence
): Either.Either<void, PlacementNotServed> =>
  placement === null || isServed(placement, placements)
    ? Either.void
    : Either.left(new PlacementNotServed({ sessionId: id, placement, served: placements }))

/** Refuses a session that is being deleted. */
export const undeleted = (kept: SessionRecord): Either.Either<SessionRecord, SessionDeleting> =>
  kept.tenure.state === "live" ? Either.right(kept) : Either.left(new SessionDeleting({ sessionId: kept.session.id }))

/** The run in the way of another: the one that holds the session, else the oldest that waits. */
export const inTheWay = ({ holder, queue }: SessionRecord): Option.Option<Run.RunId> =>
  Option.orElse(
    Option.map(holder, ({ runId }) => runId),
    () => Array.head(queue)
  )

export interface SessionHold {
  readonly kept: SessionRecord
  readonly keptRun: RunRecord & { readonly run: Run.RunningRun }
}

/** The session and the run of a valid lease. */
export const held = (state: State, lease: Lease.Lease): Either.Either<SessionHold, LeaseLost> =>
  Option.all({
    kept: HashMap.get(state.sessions, lease.sessionId),
    keptRun: HashMap.get(state.runs, lease.runId)
  }).pipe(
    Option.filter(({ kept }) => isHolder(kept, lease.runId) && Tenure.admits(kept.tenure, lease.fence)),
    Option.flatMap(({ kept, keptRun }) => Option.map(inState("running")(keptRun), (keptRun) => ({ kept, keptRun }))),
    Either.fromOption(() => new LeaseLost({ sessionId: lease.sessionId, runId: lease.runId }))
  )

/** A stored run, if it is in this state. */
export const inState =
  <S extends Run.State>(state: S) =>
  (keptRun: RunRecord): Option.Option<RunRecord & { readonly run: Extract<Run.Run, { readonly state: S }> }> =>
    Option.map(Option.liftPredicate(keptRun.run, Run.isIn(state)), (run) => ({ ...keptRun, run }))

const isHolder = (kept: SessionRecord, runId: Run.RunId): boolean =>
  Option.exists(kept.holder, (holder) => holder.runId === runId)

/** A holder: an engine and its newest sign of life. */
export const holderBy = (state: State, { engine: { instance } }: Lease.Presence): Tenure.TenureHolder => ({
  instance,
  count: beatOf(state, instance).count
})

/** The newest sign of life of an engine. */
export const beatOf = (state: State, instance: string): Lease.Beat =>
  Option.getOrElse(HashMap.get(state.beats, instance), () => Lease.silent)

/** The state with one more sign of life. Wakes nobody. The first sign of an engine drops engines that hold nothing. */
export const putBeat = (state: State, at: number, presence: Lease.Presence): State => {
  const { instance } = presence.engine
  const beats = HashMap.has(state.beats, instance)
    ? state.beats
    : HashMap.filter(state.beats, (_, other) => holds(state, other))
  const { leaseMillis, sign } = presence
  const beat: Lease.Beat = { count: beatOf(state, instance).count + 1, sign, leaseMillis, seenAt: at }
  return { ...state, beats: HashMap.set(beats, instance, beat), changed: Option.none() }
}

/** The tenure of a session with its holder's newest sign of life, which is kept once for all that an engine holds. */
export const renewed = (state: State, { tenure }: SessionRecord): Tenure.Tenure =>
  tenure.holder === null
    ? tenure
    : Tenure.renew(tenure, { ...tenure.holder, count: beatOf(state, tenure.holder.instance).count })

/** The session after a move of its lease. */
export const setTenure = (kept: SessionRecord, tenure: Tenure.Tenure): SessionRecord =>
  tenure === kept.tenure ? kept : { ...kept, tenure, holder: Option.filter(kept.holder, () => tenure.holder !== null) }

const holds = (state: State, instance: string): boolean =>
  HashMap.some(state.sessions, ({ holder }) => Option.exists(holder, ({ engine }) => engine?.instance === instance))

/** The state with one more request to stop a run. */
export const requestStop = (state: State): State => ({ ...state, stopRequests: state.stopRequests + 1 })

/** The state with a new value for a session. */
export const putSession = (state: State, kept: SessionRecord): State => ({
  ...state,
  sessions: HashMap.set(state.sessions, kept.session.id, kept),
  changed: Option.some(kept.session.id)
})

/** The state with a new value for a run. */
export const putRun = (state: State, kept: RunRecord): State => ({
  ...state,
  runs: HashMap.set(state.runs, kept.run.id, kept)
})

/** The session with some visible fields changed. */
export const setSession = (kept: SessionRecord, fields: Partial<Session>): SessionRecord => ({
  ...kept,
  session: { ...kept.session, ...fields }
})

/** The session with what is known about the step or the call in a place. */
export const setTimes = (kept: SessionRecord, seq: Seq, times: Times): SessionRecord => ({
  ...kept,
  times: HashMap.set(kept.times, seq, times)
})

/** A session with nothing in it. The cursor of its first event follows `floor`. */
export const emptySession = (own: Pick<SessionRecord, "floor" | "ordinal" | "session" | "tenure">): SessionRecord => ({
  ...own,
  holder: Option.none(),
  draft: Option.none(),
  queue: [],
  entries: [],
  batch: [],
  times: HashMap.empty(),
  granted: new Set(),
  appendKeys: HashMap.empty(),
  assets: [],
  events: []
})

type EventFields<Event> = Event extends SessionEvent.Durable
  ? Omit<Event, "sessionId" | "cursor" | "at" | "actor">
  : never

/** Records an event with the next cursor, and sets the session's time. By default the event has no actor. */
export const record = (
  kept: SessionRecord,
  at: number,
  event: EventFields<SessionEvent.Durable>,
  actor: Actor | null = null
): SessionRecord => {
  const cursor = Cursor.make(kept.session.cursor + 1)
  return {
    ...setSession(kept, { cursor, updatedAt: at }),
    events: [...kept.events, { ...event, sessionId: kept.session.id, cursor, at, actor }]
  }
}
