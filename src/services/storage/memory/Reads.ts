/** The reference for reads of a state. */
import { Array, Either, HashMap, Option, Order } from "effect"
import type { Asset, AssetId } from "../../../domain/Asset.js"
import { byteLength } from "../../../domain/Limits.js"
import type { Entry } from "../../../domain/Message.js"
import type { Question, QuestionId } from "../../../domain/Permission.js"
import type { Run, RunId, RunQuery } from "../../../domain/Run.js"
import { Cursor, type Owner, type Seq, type Session, type SessionId } from "../../../domain/Session.js"
import type * as SessionEvent from "../../../domain/SessionEvent.js"
import {
  AssetNotFound,
  CursorGone,
  MessageNotFound,
  type QuestionNotFound,
  RunNotFound,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import type { Draft } from "../../../domain/Live.js"
import type {
  Activity,
  EventPage,
  HeldRun,
  Holder,
  LeftSince,
  Occupancy,
  OpenBatch,
  Tenancy,
  TranscriptRange,
  UnsettledSession
} from "../Storage.js"
import type { TimelineRow, TimelineStep } from "../../../domain/Timeline.js"
import { findAsset } from "./Assets.js"
import { isOpen } from "./Batches.js"
import { findQuestion } from "./Questions.js"
import { isActive, tenancyOf } from "./Lists.js"
import { findRun, holderOf, queued } from "./Runs.js"
import { noTimes, type SessionRecord, type State, visible } from "./State.js"

export const session = (state: State, sessionId: SessionId): Either.Either<Session, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => kept.session)

export const transcript = (
  state: State,
  { from = 1, sessionId, to = Infinity }: TranscriptRange
): Either.Either<ReadonlyArray<Entry>, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => kept.entries.filter(({ seq }) => seq >= from && seq <= to))

export const timeline = (
  state: State,
  { from = 1, sessionId, to = Infinity }: TranscriptRange
): Either.Either<ReadonlyArray<TimelineRow>, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => {
    const rows: Array<TimelineRow> = []
    let by: TimelineStep | null = null
    for (const { message, ...entry } of [...kept.entries, ...Array.getSomes(kept.batch.map(({ result }) => result))]) {
      const { display, finished, startedAt } = Option.getOrElse(HashMap.get(kept.times, entry.seq), () => noTimes)
      const { at: endedAt, runId, seq } = entry
      if (message.role === "assistant") {
        const { finish, model, partial = false, usage } = message
        rows.push((by = { type: "step", seq, runId, startedAt, endedAt, model, finish, usage, partial }))
      } else if (message.role === "tool" && by !== null) {
        const { callId, name, outcome } = message
        const times = { askedAt: by.endedAt, startedAt, endedAt, finished }
        rows.push({ type: "call", seq, runId, step: by.seq, callId, name, display, outcome, ...times })
      }
    }
    for (const { callId, display, name, seq, startedAt } of kept.batch.filter(isOpen).map(({ call }) => call)) {
      if (by === null) continue
      const times = { askedAt: by.endedAt, startedAt, endedAt: null, finished: null }
      rows.push({ type: "call", seq, runId: by.runId, step: by.seq, callId, name, display, outcome: null, ...times })
    }
    return Array.sort(rows, bySeq).filter(({ seq }) => seq >= from && seq <= to)
  })

const bySeq = Order.mapInput(Order.number, ({ seq }: TimelineRow) => seq)

export const run = (state: State, runId: RunId): Either.Either<Run, RunNotFound> =>
  Either.map(keptRun(state, runId), ({ run }) => run)

export const runs = (
  state: State,
  { before, idempotencyKey, limit = 50, sessionId }: RunQuery
): Either.Either<ReadonlyArray<Run>, SessionNotFound | RunNotFound> =>
  Either.gen(function* () {
    yield* visible(state, sessionId)
    const all = Array.fromIterable(HashMap.values(state.runs)).filter(({ run }) => run.sessionId === sessionId)
    const until = before === undefined ? undefined : all.find(({ run }) => run.id === before)
    if (before !== undefined && until === undefined) return yield* Either.left(new RunNotFound({ runId: before }))
    return all
      .filter((one) => one.ordinal < (until?.ordinal ?? Infinity))
      .filter((one) => idempotencyKey === undefined || one.idempotencyKey === idempotencyKey)
      .toSorted((one, other) => other.ordinal - one.ordinal)
      .slice(0, Math.min(Math.max(limit, 1), 500))
      .map(({ run }) => run)
  })

export const entry = (
  state: State,
  { seq, sessionId }: { readonly sessionId: SessionId; readonly seq: Seq }
): Either.Either<Entry, SessionNotFound | MessageNotFound> =>
  Either.flatMap(visible(state, sessionId), ({ batch, entries }) =>
    Either.fromNullable(
      [...entries, ...Array.getSomes(batch.map(({ result }) => result))].find((one) => one.seq === seq),
      () => new MessageNotFound({ sessionId, seq })
    )
  )

export const oldestCursor = (state: State, sessionId: SessionId): Either.Either<Cursor, SessionNotFound> =>
  Either.map(visible(state, sessionId), ({ floor }) => Cursor.make(floor + 1))

export const activity = (state: State, sessionId: SessionId): Either.Either<Activity, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => ({
    holder: holderOf(state, kept),
    queued: queued(state, kept).map(({ run }) => run)
  }))

export const occupancy = (state: State, sessionId: SessionId): Either.Either<Occupancy, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => ({
    placement: kept.session.placement,
    holder: holderOf(state, kept),
    hasQueued: kept.queue.length > 0,
    isAnswered: isAnswered(state, kept)
  }))

export const openBatch = (state: State, sessionId: SessionId): Either.Either<OpenBatch, SessionNotFound> =>
  Either.map(visible(state, sessionId), ({ batch }) => ({
    calls: batch.filter(isOpen).map(({ call }) => call),
    stored: Array.getSomes(batch.map(({ result }) => result))
  }))

export const unsettled = (state: State, since: LeftSince): ReadonlyArray<UnsettledSession> =>
  Array.sort(Array.fromIterable(HashMap.values(state.sessions)), byOldestRun(state)).flatMap((kept) =>
    kept.tenure.state === "live" &&
    isActive(kept) &&
    (!Option.exists(holderOf(state, kept), isLeftBefore(since)) || isAnswered(state, kept))
      ? [{ sessionId: kept.session.id, placement: kept.session.placement, tenancy: tenancyOf(state, kept) }]
      : []
  )

/** Whether a call waits that has its answer. */
const isAnswered = (state: State, { batch, session }: SessionRecord): boolean =>
  batch.some(
    ({ call, result }) =>
      Option.isNone(result) &&
      call.state === "pending" &&
      state.questions.some(
        ({ answer, id, sessionId }) => id === call.questionId && sessionId === session.id && answer !== null
      )
  )

const isLeftBefore =
  ({ released, silent }: LeftSince) =>
  ({ beat, run }: Holder): boolean =>
    run.releasedAt === null ? (beat.seenAt ?? run.startedAt) < silent : run.releasedAt < released

export const tenancies = (state: State): ReadonlyArray<Tenancy> =>
  Array.fromIterable(HashMap.values(state.sessions)).flatMap((kept) => {
    const tenancy = kept.tenure.state === "gone" ? null : tenancyOf(state, kept)
    return tenancy === null ? [] : [tenancy]
  })

/** Orders sessions by their oldest run that has not ended. */
const byOldestRun = (state: State) =>
  Order.mapInput(Order.number, (kept: SessionRecord) =>
    Math.min(
      ...[...Option.toArray(kept.holder).map(({ runId }) => runId), ...kept.queue].flatMap((runId) =>
        Option.toArray(Option.map(HashMap.get(state.runs, runId), ({ ordinal }) => ordinal))
      )
    )
  )

export const heldRuns = (state: State, instance: string): ReadonlyArray<HeldRun> =>
  Array.fromIterable(HashMap.values(state.sessions)).flatMap((kept) =>
    Option.match(
      Option.filter(holderOf(state, kept), ({ engine }) => engine?.instance === instance),
      {
        onNone: () => [],
        onSome: ({ lease }) => {
          const found = HashMap.get(state.runs, lease.runId)
          const isCancelled = Option.exists(found, ({ cancelRequested }) => cancelRequested)
          const cancelledBy = Option.getOrNull(Option.map(found, ({ cancelledBy }) => cancelledBy))
          return [
            {
              lease,
              cancelledBy,
              stopRequest: kept.tenure.state !== "live" ? "deleted" : isCancelled ? "cancelled" : null
            }
          ]
        }
      }
    )
  )

export const draft = (state: State, sessionId: SessionId): Option.Option<Draft> =>
  Option.flatMap(Either.getRight(visible(state, sessionId)), (kept) => kept.draft)

export const events = (
  state: State,
  { after, entries = false, limit, sessionId }: EventPage
): Either.Either<ReadonlyArray<SessionEvent.Durable>, SessionNotFound | CursorGone> =>
  Either.gen(function* () {
    const kept = yield* visible(state, sessionId)
    const { cursor } = kept.session
    if (after > cursor || (after !== 0 && after < kept.floor)) {
      return yield* Either.left(new CursorGone({ sessionId, after, oldest: kept.floor + 1, newest: cursor }))
    }
    const page = kept.events
      .filter((event) => event.cursor > after)
      .slice(0, limit)
      .map(today(kept.session))
    return entries ? bounded(page.map((event) => withEntry(state, event))) : page
  })

export const questions = (state: State, sessionId: SessionId | null, owner?: Owner): ReadonlyArray<Question> =>
  state.questions.filter(
    (question) =>
      question.answer === null &&
      (sessionId === null || question.sessionId === sessionId) &&
      Option.exists(
        Either.getRight(visible(state, question.sessionId)),
        ({ session }) => owner === undefined || session.owner === owner
      )
  )

export const question = (state: State, questionId: QuestionId): Either.Either<Question, QuestionNotFound> =>
  Either.map(findQuestion(state, questionId), ({ question }) => question)

export const granted = (state: State, sessionId: SessionId): ReadonlySet<string> =>
  Either.match(visible(state, sessionId), { onLeft: () => new Set<string>(), onRight: (kept) => kept.granted })

export const asset = (
  state: State,
  { assetId, sessionId }: { readonly sessionId: SessionId; readonly assetId: AssetId }
): Either.Either<Asset, AssetNotFound> =>
  visible(state, sessionId).pipe(
    Either.mapLeft(() => new AssetNotFound({ sessionId, assetId })),
    Either.flatMap((kept) => findAsset(kept, assetId))
  )

export const assets = (state: State, sessionId: SessionId): Either.Either<ReadonlyArray<Asset>, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => kept.assets)

export const deleting = (state: State): ReadonlyArray<{ readonly sessionId: SessionId; readonly hidden: boolean }> =>
  Array.fromIterable(HashMap.values(state.sessions))
    .filter(({ tenure }) => tenure.state !== "live")
    .map(({ session, tenure }) => ({ sessionId: session.id, hidden: tenure.state === "gone" }))

const keptRun = (state: State, runId: RunId) =>
  Either.fromOption(
    Option.map(findRun(state, runId), ({ keptRun }) => keptRun),
    () => new RunNotFound({ runId })
  )

/** An event as a replay shows it. */
const today =
  ({ agent, model, title, workdir }: Session) =>
  (event: SessionEvent.Durable): SessionEvent.Durable => {
    if (event.type === "session.created" || event.type === "session.renamed") return { ...event, title }
    if (event.type === "session.moved") return { ...event, workdir }
    if (event.type === "session.agent") return { ...event, agent }
    return event.type === "session.model" ? { ...event, model } : event
  }

/** The most bytes of messages in a page, unless the message of its first event has more. */
const most = 1024 * 1024

/** The events before the one whose message would exceed the bytes of a page. */
const bounded = (events: ReadonlyArray<SessionEvent.Durable>): ReadonlyArray<SessionEvent.Durable> => {
  const known = new Set<Seq>()
  let bytes = 0
  return Array.takeWhile(events, (event, index) => {
    if (!("entry" in event) || event.entry === undefined || known.has(event.entry.seq)) return true
    known.add(event.entry.seq)
    bytes += byteLength(JSON.stringify(event.entry.message))
    return bytes <= most || index === 0
  })
}

/** The event with the message or the question that it is about. */
const withEntry = (state: State, event: SessionEvent.Durable): SessionEvent.Durable => {
  switch (event.type) {
    case "message.appended":
    case "call.finished":
      return Either.match(entry(state, event), { onLeft: () => event, onRight: (entry) => ({ ...event, entry }) })
    case "permission.asked":
      return Either.match(question(state, event.questionId), {
        onLeft: () => event,
        onRight: (question) => ({ ...event, question })
      })
    default:
      return event
  }
}
