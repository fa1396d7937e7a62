/** The reference for the beginning of runs: admission, start, queue, cancellation before the start. */
import { Array, Either, HashMap, Option } from "effect"
import type { Actor } from "../../../domain/Actor.js"
import * as Lease from "../../../domain/Lease.js"
import { none } from "../../../domain/Takeover.js"
import * as Tenure from "../../../domain/Tenure.js"
import type { JsonRecord } from "../../../domain/Json.js"
import { type FilePart, type UserMessage } from "../../../domain/Message.js"
import { type EndedRun, type QueuedRun, refOf, type RunId, type RunningRun } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import {
  AssetNotFound,
  IdempotencyConflict,
  type PlacementNotServed,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Title from "../../../domain/Title.js"
import * as Usage from "../../../domain/Usage.js"
import type { Admission, AdmissionOutcome, Holder, StartedRun } from "../Storage.js"
import {
  type Asked,
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
  inTheWay,
  served,
  type Transition,
  visible
} from "./State.js"
import { appendEntry, nextSeq } from "./Transcripts.js"

export const admit = (
  state: State,
  at: number,
  {
    actor,
    hash,
    idempotencyKey,
    message,
    metadata,
    output,
    presence,
    runId,
    sessionId,
    textHash,
    whenBusy
  }: Admission & Asked
): Transition<
  AdmissionOutcome,
  SessionNotFound | SessionDeleting | IdempotencyConflict | PlacementNotServed | AssetNotFound
> =>
  Either.gen(function* () {
    const kept = yield* changeable(state, sessionId)

    const earlier = idempotencyKey === null ? undefined : withKey(state, sessionId, idempotencyKey)
    if (idempotencyKey !== null && earlier !== undefined) {
      if (earlier.hash === hash || earlier.hash === textHash) {
        const newest = newestOf(state, earlier)
        return [{ _tag: "Existing", run: newest.run, ref: refOf(newest.run) }, state]
      }
      return yield* Either.left(new IdempotencyConflict({ sessionId, idempotencyKey, runId: earlier.run.id }))
    }

    yield* served(kept, presence)
    const missing = message.value.parts
      .filter(isFile)
      .find(({ assetId }) => !kept.assets.some(({ id }) => id === assetId))
    if (missing !== undefined) {
      return yield* Either.left(new AssetNotFound({ sessionId, assetId: missing.assetId }))
    }

    const keptRun = newRun(state, at, kept, {
      runId,
      actor,
      message: message.value,
      metadata: metadata.value,
      output: output?.value ?? null,
      idempotencyKey,
      hash
    })
    const busyWith = inTheWay(kept)
    if (Option.isNone(busyWith)) {
      const [started, after] = start(state, at, kept, keptRun, presence)
      return [{ _tag: "Started", ...started }, after]
    }
    if (whenBusy === "refuse") return [{ _tag: "Busy", runId: busyWith.value }, state]
    const queued = record({ ...kept, queue: [...kept.queue, runId] }, at, { type: "run.queued", runId }, actor)
    return [{ _tag: "Queued", run: keptRun.run, ref: refOf(keptRun.run) }, putRun(putSession(state, queued), keptRun)]
  })

type NewRun = Pick<RunRecord, "message" | "idempotencyKey" | "hash"> & {
  readonly runId: RunId
  readonly actor: Actor | null
  readonly metadata: JsonRecord
  readonly output: JsonRecord | null
}

/** A run that waits; it is not yet part of the state. */
export const newRun = (
  state: State,
  at: number,
  { session }: SessionRecord,
  { actor, hash, idempotencyKey, message, metadata, output, runId }: NewRun
): RunRecord & { readonly run: QueuedRun } => ({
  run: {
    id: runId,
    sessionId: session.id,
    state: "queued",
    stopReason: null,
    detail: null,
    actor,
    metadata,
    output,
    usage: Usage.zero,
    cursor: session.cursor,
    createdAt: at,
    startedAt: null,
    endedAt: null
  },
  ordinal: HashMap.reduce(state.runs, 0, (last, { ordinal }) => Math.max(last, ordinal)) + 1,
  message,
  idempotencyKey,
  hash,
  cancelRequested: false,
  cancelledBy: null,
  takeovers: none,
  resumedBy: null
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

export const cancelQueued = (
  state: State,
  at: number,
  { actor, runId }: { readonly runId: RunId } & Asked
): Transition<boolean> =>
  Either.right(
    Option.match(Option.filter(findRun(state, runId), isQueued), {
      onNone: () => [false, state],
      onSome: ({ kept, keptRun }) => {
        const run: EndedRun = { ...keptRun.run, state: "ended", stopReason: "cancelled", endedAt: at }
        const left = record(
          { ...kept, queue: kept.queue.filter((id) => id !== runId) },
          at,
          {
            type: "run.ended",
            runId,
            stopReason: run.stopReason,
            detail: run.detail,
            usage: run.usage
          },
          actor
        )
        return [true, putRun(putSession(state, left), { ...keptRun, run })]
      }
    })
  )

export const requestCancel = (state: State, { actor, runId }: { readonly runId: RunId } & Asked): Transition<boolean> =>
  Either.right(
    Option.match(
      Option.filter(findRun(state, runId), ({ keptRun }) => keptRun.run.state === "running"),
      {
        onNone: () => [false, state],
        onSome: ({ keptRun }) => [
          true,
          requestStop({
            ...putRun(state, {
              ...keptRun,
              cancelRequested: true,
              cancelledBy: keptRun.cancelRequested ? keptRun.cancelledBy : actor
            }),
            changed: Option.none()
          })
        ]
      }
    )
  )

export const renew = (state: State, at: number, presence: Lease.Presence): Transition<void> =>
  Either.right([undefined, putBeat(state, at, presence)])

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
      beat: engine === null ? Lease.silent : beatOf(state, engine.instance)
    }))
  )

/** Starts a run in a free session: a new fencing number, the run's message, and a title if the session has none. */
export const start = (
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
    releasedAt: null,
    endedAt: null
  }
  const known = putBeat(state, at, presence)
  const tenure = Tenure.take(kept.tenure, holderBy(known, presence)) ?? kept.tenure
  const taken: SessionRecord = {
    ...kept,
    tenure,
    holder: Option.some({ runId: run.id, engine: presence.engine }),
    queue: kept.queue.filter((runId) => runId !== run.id)
  }
  const started = record(taken, at, { type: "run.started", runId: run.id }, run.actor)
  const spoken = message === null ? started : appendUserMessage(state, at, started, run, message)
  return [
    { run, ref: refOf(waiting.run), lease: { sessionId: run.sessionId, runId: run.id, fence: tenure.fence } },
    putRun(putSession(known, spoken), { ...waiting, run })
  ]
}

const appendUserMessage = (
  state: State,
  at: number,
  kept: SessionRecord,
  { actor, id: runId }: RunningRun,
  message: UserMessage
): SessionRecord => {
  const appended = appendEntry(kept, at, { seq: nextSeq(kept), runId, actor, at, message })
  const title = Title.ofMessage(message, state.limits)
  return title === null || kept.session.named || kept.session.title !== Title.untitled
    ? appended
    : record(setSession(appended, { title }), at, { type: "session.renamed", title }, actor)
}

export const withKey = (state: State, sessionId: SessionId, key: string): RunRecord | undefined =>
  runsOf(state, sessionId).find(({ idempotencyKey }) => idempotencyKey === key)

/** The last of the runs that went on with a run, one after the other; the run itself when none did. */
export const newestOf = (state: State, keptRun: RunRecord): RunRecord =>
  Option.match(
    Option.flatMap(Option.fromNullable(keptRun.resumedBy), (next) => HashMap.get(state.runs, next)),
    {
      onNone: () => keptRun,
      onSome: (next) => newestOf(state, next)
    }
  )

export const runsOf = (state: State, sessionId: SessionId): ReadonlyArray<RunRecord> =>
  Array.fromIterable(HashMap.values(state.runs)).filter(({ run }) => run.sessionId === sessionId)

const isFile = (part: UserMessage["parts"][number]): part is FilePart => part.type === "file"

const isQueued = ({ keptRun }: { readonly keptRun: RunRecord }): boolean => keptRun.run.state === "queued"
