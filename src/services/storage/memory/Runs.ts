/** The reference for the beginning of runs: admission, start, queue, cancellation before the start. */
import { Array, Either, HashMap, Option } from "effect"
import * as Lease from "../../../domain/Lease.js"
import * as Tenure from "../../../domain/Tenure.js"
import { type FilePart, type UserMessage } from "../../../domain/Message.js"
import type { EndedRun, QueuedRun, Ref, RunId, RunningRun } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import {
  AssetNotFound,
  IdempotencyConflict,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Title from "../../../domain/Title.js"
import * as Usage from "../../../domain/Usage.js"
import type { Admission, AdmissionOutcome, Holder, StartedRun } from "../Storage.js"
import {
  beatOf,
  changeable,
  type RunRecord,
  type SessionRecord,
  requestStop,
  putBeat,
  putRun,
  putSession,
  record,
  setSession,
  type State,
  holderBy,
  inState,
  type Transition,
  visible
} from "./State.js"
import { appendEntry, nextSeq } from "./Transcripts.js"

export const admit = (
  state: State,
  at: number,
  { hash, idempotencyKey, message, metadata, presence, runId, sessionId, textHash, whenBusy }: Admission
): Transition<AdmissionOutcome, SessionNotFound | SessionDeleting | IdempotencyConflict | AssetNotFound> =>
  Either.gen(function* () {
    const kept = yield* changeable(state, sessionId)

    const earlier = runsOf(state, sessionId).find(
      (kept) => idempotencyKey !== null && kept.idempotencyKey === idempotencyKey
    )
    if (idempotencyKey !== null && earlier !== undefined) {
      if (earlier.hash === hash || earlier.hash === textHash) {
        return [{ _tag: "Existing", run: earlier.run, ref: refOf(earlier) }, state]
      }
      return yield* Either.left(new IdempotencyConflict({ sessionId, idempotencyKey, runId: earlier.run.id }))
    }

    const missing = filesOf(message?.value ?? null).find(({ assetId }) => !kept.assets.some(({ id }) => id === assetId))
    if (missing !== undefined) {
      return yield* Either.left(new AssetNotFound({ sessionId, assetId: missing.assetId }))
    }

    const run: QueuedRun = {
      id: runId,
      sessionId,
      state: "queued",
      stopReason: null,
      detail: null,
      metadata: metadata.value,
      usage: Usage.zero,
      createdAt: at,
      startedAt: null,
      endedAt: null
    }
    const keptRun: RunRecord = {
      run,
      cursor: kept.session.cursor,
      message: message?.value ?? null,
      idempotencyKey,
      hash,
      cancelRequested: false
    }
    const holder = holderOf(state, kept)
    const inTheWay = Option.match(holder, {
      onNone: () => Array.head(kept.queue),
      onSome: ({ run }) => Option.some(run.id)
    })
    if (Option.isNone(inTheWay)) {
      const [started, after] = start(state, at, kept, keptRun, presence)
      return [{ _tag: "Started", ...started }, after]
    }
    if (whenBusy === "refuse") return [{ _tag: "Busy", runId: inTheWay.value }, state]
    const queued = record({ ...kept, queue: [...kept.queue, runId] }, at, { type: "run.queued", runId })
    return [{ _tag: "Queued", run, ref: refOf(keptRun) }, putRun(putSession(state, queued), keptRun)]
  })

export const startNext = (
  state: State,
  at: number,
  { presence, sessionId }: { readonly sessionId: SessionId; readonly presence: Lease.Presence }
): Transition<Option.Option<StartedRun>, SessionNotFound | SessionDeleting> =>
  Either.map(changeable(state, sessionId), (kept) =>
    Option.match(Option.isSome(kept.holder) ? Option.none() : Array.head(queued(state, kept)), {
      onNone: () => [Option.none(), state],
      onSome: (keptRun) => {
        const [started, after] = start(state, at, kept, keptRun, presence)
        return [Option.some(started), after]
      }
    })
  )

export const cancelQueued = (state: State, at: number, runId: RunId): Transition<boolean> =>
  Either.right(
    Option.match(Option.filter(findRun(state, runId), isQueued), {
      onNone: () => [false, state],
      onSome: ({ kept, keptRun }) => {
        const run: EndedRun = { ...keptRun.run, state: "ended", stopReason: "cancelled", endedAt: at }
        const left = record({ ...kept, queue: kept.queue.filter((id) => id !== runId) }, at, {
          type: "run.ended",
          runId,
          stopReason: run.stopReason,
          detail: run.detail,
          usage: run.usage
        })
        return [true, putRun(putSession(state, left), { ...keptRun, run })]
      }
    })
  )

export const requestCancel = (state: State, runId: RunId): Transition<boolean> =>
  Either.right(
    Option.match(
      Option.filter(findRun(state, runId), ({ keptRun }) => keptRun.run.state === "running"),
      {
        onNone: () => [false, state],
        onSome: ({ keptRun }) => [
          true,
          requestStop({ ...putRun(state, { ...keptRun, cancelRequested: true }), changed: Option.none() })
        ]
      }
    )
  )

export const renew = (state: State, presence: Lease.Presence): Transition<void> =>
  Either.right([undefined, putBeat(state, presence)])

/** A run and its session, unless the session is hidden. */
export const findRun = (state: State, runId: RunId) =>
  HashMap.get(state.runs, runId).pipe(
    Option.bindTo("keptRun"),
    Option.bind("kept", ({ keptRun }) => Either.getRight(visible(state, keptRun.run.sessionId)))
  )

/** The queued runs, in order. */
export const queued = (state: State, kept: SessionRecord) =>
  Array.getSomes(kept.queue.map((runId) => Option.flatMap(HashMap.get(state.runs, runId), inState("queued"))))

/** The run that holds a session, with its lease and its engine. */
export const holderOf = (state: State, kept: SessionRecord): Option.Option<Holder> =>
  Option.flatMap(kept.holder, ({ engine, runId }) =>
    Option.map(Option.flatMap(HashMap.get(state.runs, runId), inState("running")), ({ run }) => ({
      run,
      lease: { sessionId: kept.session.id, runId, fence: kept.tenure.fence },
      engine,
      beat: beatOf(state, engine.instance)
    }))
  )

export const refOf = ({ cursor, run }: RunRecord): Ref => ({ sessionId: run.sessionId, runId: run.id, cursor })

/** Starts a run in a free session: a new fencing number, the run's message, and a title if the session has none. */
const start = (
  state: State,
  at: number,
  kept: SessionRecord,
  waiting: RunRecord,
  presence: Lease.Presence
): readonly [StartedRun, State] => {
  const { message } = waiting
  const run: RunningRun = {
    ...waiting.run,
    state: "running",
    stopReason: null,
    detail: null,
    startedAt: at,
    endedAt: null
  }
  const known = putBeat(state, presence)
  const tenure = Tenure.take(kept.tenure, holderBy(known, presence)) ?? kept.tenure
  const taken: SessionRecord = {
    ...kept,
    tenure,
    holder: Option.some({ runId: run.id, engine: presence.engine }),
    queue: kept.queue.filter((runId) => runId !== run.id)
  }
  const started = record(taken, at, { type: "run.started", runId: run.id })
  const spoken = message === null ? started : appendUserMessage(state, at, started, run.id, message)
  return [
    { run, ref: refOf(waiting), lease: { sessionId: run.sessionId, runId: run.id, fence: tenure.fence } },
    putRun(putSession(known, spoken), { ...waiting, run })
  ]
}

const appendUserMessage = (
  state: State,
  at: number,
  kept: SessionRecord,
  runId: RunId,
  message: UserMessage
): SessionRecord => {
  const appended = appendEntry(kept, at, { seq: nextSeq(kept), runId, at, message })
  const title = Title.ofMessage(message, state.limits)
  return title === null || kept.session.named || kept.session.title !== Title.untitled
    ? appended
    : record(setSession(appended, { title }), at, { type: "session.renamed", title })
}

const runsOf = (state: State, sessionId: SessionId): ReadonlyArray<RunRecord> =>
  Array.fromIterable(HashMap.values(state.runs)).filter(({ run }) => run.sessionId === sessionId)

const filesOf = (message: UserMessage | null): ReadonlyArray<FilePart> =>
  message === null ? [] : message.parts.filter(isFile)

const isFile = (part: UserMessage["parts"][number]): part is FilePart => part.type === "file"

const isQueued = ({ keptRun }: { readonly keptRun: RunRecord }): boolean => keptRun.run.state === "queued"
