/**
 * Runtime: every change to a session, and its runs. Each change passes the session's boundary, which is held for the
 * change and never for a run. Runs go on in fibers of the engine, whoever sent the message.
 *
 * A session that a dead engine left behind is claimed when somebody changes it: what the dead run left open is closed
 * by what is known of it, and queued runs start in order. Nothing is repaired when storage opens.
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Option, Schedule } from "effect"
import type { Stream } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import type * as Lease from "../../domain/Lease.js"
import type { Json, JsonRecord } from "../../domain/Json.js"
import type { Entry, Message, UserMessage } from "../../domain/Message.js"
import type { ModelRef } from "../../domain/ModelRef.js"
import type { Answer, Question, QuestionId } from "../../domain/Permission.js"
import type { Ref, Run } from "../../domain/Run.js"
import { RunId } from "../../domain/Run.js"
import type { Session, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { Assets } from "../assets/Assets.js"
import { Boundary } from "./Boundary.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Hashing } from "../Hashing.js"
import { Ids } from "../Ids.js"
import { Drivers } from "./Drivers.js"
import { Leases } from "./Leases.js"
import * as Metrics from "../Metrics.js"
import type { Holder, NewSession } from "../storage/Storage.js"
import { Storage, StorageReader } from "../storage/Storage.js"

const hour = 60 * 60 * 1000
const day = 24 * hour

interface Send {
  readonly sessionId: SessionId
  /** Null goes on from the transcript as it is. */
  readonly message: UserMessage | null
  readonly metadata: JsonRecord
  readonly idempotencyKey: string | null
  readonly whenBusy: "refuse" | "queue"
}

interface NewAsset<E> {
  readonly sessionId: SessionId
  readonly name: string | null
  readonly mediaType: string
  readonly content: Stream.Stream<Uint8Array, E>
}

type AssetSave = SkeinError.Change | SkeinError.AssetFailed

export interface Service {
  readonly create: (session: NewSession) => Effect.Effect<Session, SkeinError.Create>
  readonly rename: (sessionId: SessionId, title: string) => Effect.Effect<Session, SkeinError.Change>
  readonly setModel: (sessionId: SessionId, model: ModelRef | null) => Effect.Effect<Session, SkeinError.Change>
  readonly patchMetadata: (
    sessionId: SessionId,
    patch: { readonly [field: string]: Json }
  ) => Effect.Effect<Session, SkeinError.Change>
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<Message>
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Change | SkeinError.AppendRefused | SkeinError.SessionBusy>
  /** Stores the run, starts it when the session is free, and answers without waiting for it. */
  readonly send: (send: Send) => Effect.Effect<Ref, SkeinError.Send>
  /** Waits for a run's end, and claims its session when the engine that has it is dead. */
  readonly await: (ref: Ref) => Effect.Effect<Run, SkeinError.RunNotFound | SkeinError.Read>
  /** Stops a run or takes it from the queue, and returns when its end is stored. Does nothing for one that has ended. */
  readonly cancel: (runId: RunId) => Effect.Effect<void, SkeinError.Cancel>
  readonly answer: (
    questionId: QuestionId,
    answer: Answer
  ) => Effect.Effect<Question, SkeinError.Change | SkeinError.QuestionNotFound | SkeinError.QuestionAnswered>
  /** Stops the session's run, then removes the session with all that belongs to it. Goes on when the caller does not. */
  readonly delete: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  readonly saveAsset: <E>(asset: NewAsset<E>) => Effect.Effect<Asset, AssetSave | E>
  readonly deleteAsset: (
    sessionId: SessionId,
    assetId: AssetId
  ) => Effect.Effect<Asset, SkeinError.Change | SkeinError.AssetNotFound | SkeinError.AssetFailed>
  /** Finishes deletions that a dead engine began and removes files that belong to nothing. */
  readonly sweep: Effect.Effect<void, SkeinError.Delete>
}

export class Runtime extends Context.Tag("skein/Runtime")<Runtime, Service>() {}

/** How often whoever waits for a run looks whether the engine that has it is dead, in nanoseconds. */
const lookForDeaths = 1_000_000_000n

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const signals = yield* EventSignals
  const hashing = yield* Hashing
  const ids = yield* Ids
  const leases = yield* Leases
  const drivers = yield* Drivers
  const boundary = yield* Boundary
  const { eventDays, eventsKept, leaseMillis } = yield* EngineConfig
  const scope = yield* Effect.scope

  /** Work that must not end with its caller belongs to the engine. */
  const detached = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.flatMap(Effect.forkIn(effect, scope), (fiber) => Effect.disconnect(fiber.await)).pipe(Effect.flatten)

  /** Whether a holder's lease stands. A run of this engine that it does not drive is a dead one. */
  const standingOf = (holder: Holder): Effect.Effect<Lease.Standing> =>
    Effect.flatMap(leases.presence, ({ engine }) =>
      holder.engine.instance === engine.instance &&
      !Option.contains(drivers.driven(holder.run.sessionId), holder.run.id)
        ? Effect.succeed({ _tag: "Over", reason: "crashed" })
        : leases.standing(holder)
    )

  /** Takes a run over whose owner's lease is over. Within the boundary. Null while the lease stands, or went elsewhere. */
  const takeOver = Effect.fnUntraced(function* (holder: Holder) {
    const standing = yield* standingOf(holder)
    if (standing._tag !== "Over") return null
    const { beat, lease } = holder
    const seen = { lease, count: beat.count, reason: standing.reason }
    const taken = yield* storage.takeOver(seen, yield* leases.presence)
    if (taken._tag === "Lost") return null
    yield* Metric.increment(Metric.tagged(Metrics.recoveredRuns, "reason", standing.reason))
    yield* Effect.annotateLogs(Effect.logInfo("took a run over"), { ...lease, reason: standing.reason, as: taken._tag })
    return taken
  })

  /** Claims a session that nobody holds any more. Within the boundary; what it takes, it drives. */
  const claim = Effect.fn("Runtime.claim")(function* (sessionId: SessionId) {
    const { holder, queued } = yield* reader.activity(sessionId)
    if (Option.isSome(holder)) {
      const taken = yield* takeOver(holder.value)
      if (taken === null) return
      if (taken._tag === "Continues") return yield* drivers.drive(taken)
    }
    if (queued.length === 0 && Option.isNone(holder)) return
    const next = yield* storage.startNext(sessionId, yield* leases.presence)
    if (Option.isSome(next)) yield* drivers.drive(next.value)
  }, Effect.uninterruptible)

  /**
   * Claims a session as soon as storage lets it: this engine may hold a run there that it does not drive, because
   * storage failed when it was started and could not tell whether it was.
   */
  const reclaim = (sessionId: SessionId) =>
    boundary
      .hold(sessionId)(claim(sessionId))
      .pipe(
        Effect.retry({
          schedule: Schedule.spaced(Duration.nanos(lookForDeaths)),
          while: ({ _tag }) => _tag !== "SessionNotFound" && _tag !== "SessionDeleting" && _tag !== "StorageUnusable"
        }),
        Effect.ignore,
        Effect.interruptible,
        Effect.forkIn(scope)
      )
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(drivers.abandoned, reclaim)))

  /** Waits for a run's end. Nobody is told when an engine dies, so it is looked for, and its session claimed. */
  const awaitEnd = Effect.fn("Runtime.await")(function* ({ runId }: Pick<Ref, "runId">) {
    const { sessionId } = yield* reader.run(runId)
    const watch = yield* signals.watch(sessionId)
    let lookAt = (yield* Clock.currentTimeNanos) + lookForDeaths
    while (true) {
      const run = yield* reader.run(runId)
      if (run.state === "ended") return run
      if (Option.contains(drivers.driven(sessionId), runId)) {
        yield* drivers.ended(runId)
        continue
      }
      const now = yield* Clock.currentTimeNanos
      if (now < lookAt) {
        yield* Effect.timeoutOption(watch.next, Duration.nanos(lookAt - now))
        continue
      }
      lookAt = now + lookForDeaths
      if (Option.isNone(drivers.driven(sessionId))) yield* Effect.ignore(boundary.hold(sessionId)(claim(sessionId)))
    }
  }, Effect.scoped)

  /** Waits until it can be told whether the lease of a session's owner stands: at most for the time of a lease. */
  const settle = Effect.fn("Runtime.settle")(function* (sessionId: SessionId) {
    while (true) {
      const { holder } = yield* reader.activity(sessionId)
      if (Option.isNone(holder) || (yield* standingOf(holder.value))._tag !== "Unclear") return
      yield* Effect.sleep(Duration.millis(leaseMillis / 4))
    }
  })

  const hashOf = Effect.fnUntraced(function* ({ message, metadata }: Send) {
    const digest = yield* hashing.sha256
    yield* digest.update(new TextEncoder().encode(JSON.stringify([message, metadata])))
    return yield* digest.hex
  })

  const send = Effect.fn("Runtime.send")(function* (input: Send) {
    const { sessionId } = input
    const hash = yield* hashOf(input)
    const runId = RunId.make(yield* ids.next("run"))
    if (input.whenBusy === "refuse") yield* settle(sessionId)
    return yield* Effect.gen(function* () {
      yield* claim(sessionId)
      const admitted = yield* storage.admit({ ...input, runId, hash, presence: yield* leases.presence })
      switch (admitted._tag) {
        case "Started":
          yield* drivers.drive(admitted)
          return admitted.ref
        case "Queued":
          // It gets its turn though the engine before it dies and nobody waits for it.
          yield* Effect.forkIn(Effect.interruptible(Effect.ignore(awaitEnd(admitted.ref))), scope)
          return admitted.ref
        case "Existing":
          return admitted.ref
        case "Busy":
          return yield* new SkeinError.SessionBusy({ sessionId, runId: admitted.runId })
      }
    }).pipe(
      Effect.uninterruptible,
      boundary.hold(sessionId),
      Effect.tapErrorTag("OutcomeUnknown", () => reclaim(sessionId))
    )
  })

  const cancel = Effect.fn("Runtime.cancel")(function* (runId: RunId) {
    const { sessionId, state } = yield* reader.run(runId)
    if (state === "ended") return
    // Only a queued run is looked for with a write: what runs here must stop though the database is locked.
    if (state === "queued" && (yield* storage.cancelQueued(runId))) return
    if (Option.contains(drivers.driven(sessionId), runId)) return yield* drivers.stop(runId, "cancelled")
    yield* boundary.hold(sessionId)(claim(sessionId))
    if (Option.contains(drivers.driven(sessionId), runId)) return yield* drivers.stop(runId, "cancelled")
    // It runs elsewhere, or has ended by now.
    if (yield* storage.requestCancel(runId)) yield* awaitEnd({ runId })
  })

  /** Ends the run that holds a session whose deletion has begun, wherever it is. */
  const stopForDelete = Effect.fn("Runtime.stopForDelete")(function* (sessionId: SessionId) {
    const { holder } = yield* reader.activity(sessionId)
    if (Option.isNone(holder)) return
    const { run } = holder.value
    if (Option.contains(drivers.driven(sessionId), run.id)) return yield* drivers.stop(run.id, "deleted")
    yield* takeOver(holder.value)
    yield* Effect.catchTag(awaitEnd({ runId: run.id }), "RunNotFound", () => Effect.void)
  })

  /** Removes what is left of a hidden session. Within the boundary, so that its id is given out once all is gone. */
  const removeHidden = Effect.fn("Runtime.removeHidden")(function* (sessionId: SessionId) {
    yield* assets.removeFolder(sessionId)
    while (yield* storage.purge(sessionId)) yield* Effect.yieldNow()
    yield* storage.forget(sessionId)
  })

  const hideWhenFree = (
    sessionId: SessionId
  ): Effect.Effect<void, SkeinError.SessionNotFound | SkeinError.Write | SkeinError.Read> =>
    stopForDelete(sessionId).pipe(
      Effect.zipRight(storage.hide(sessionId)),
      Effect.catchTag("SessionBusy", () => hideWhenFree(sessionId))
    )

  /** Goes on with a deletion that has begun; another engine may be at it too, and be faster. */
  const finishDelete = Effect.fn("Runtime.finishDelete")(function* (sessionId: SessionId) {
    yield* Effect.catchTag(hideWhenFree(sessionId), "SessionNotFound", () => Effect.void)
    signals.signal(sessionId)
    yield* boundary.hold(sessionId)(removeHidden(sessionId))
  })

  const sweep = Effect.gen(function* () {
    const [failures] = yield* Effect.partition(yield* reader.deleting, ({ sessionId }) => finishDelete(sessionId))
    yield* assets.sweep
    if (failures[0] !== undefined) return yield* failures[0]
  }).pipe(Effect.withSpan("Runtime.sweep"))

  /** Removes events that are not to be kept, when nobody has done so for an hour. */
  const retain = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const retention = { before: now - eventDays * day, keep: eventsKept, since: now - hour }
    while (yield* storage.prune(retention)) yield* Effect.yieldNow()
  }).pipe(Effect.withSpan("Runtime.retain"))

  const create = Effect.fn("Runtime.create")(function* (session: NewSession) {
    const creating = storage.createSession(session)
    return yield* creating.pipe(
      Effect.catchTag("SessionExists", (exists) =>
        Effect.gen(function* () {
          yield* Effect.orElseFail(removeHidden(session.id), () => exists)
          return yield* creating
        })
      ),
      boundary.hold(session.id)
    )
  })

  const cleaned = Effect.ignoreLogged(sweep).pipe(
    Effect.zipRight(Effect.repeat(Effect.ignoreLogged(retain), Schedule.spaced(Duration.millis(hour))))
  )
  const swept = yield* Effect.cached(Effect.forkIn(Effect.interruptible(cleaned), scope))
  /** The first change that this engine makes also cleans up after dead ones, in the background, then every hour. */
  const changing =
    (sessionId: SessionId) =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.zipRight(swept, boundary.hold(sessionId)(effect))

  return {
    create: (session) => Effect.zipRight(swept, create(session)),
    rename: (sessionId, title) => changing(sessionId)(storage.rename(sessionId, title)),
    setModel: (sessionId, model) => changing(sessionId)(storage.setModel(sessionId, model)),
    patchMetadata: (sessionId, patch) => changing(sessionId)(storage.patchMetadata(sessionId, patch)),
    append: (sessionId, messages) =>
      changing(sessionId)(Effect.zipRight(claim(sessionId), storage.append(sessionId, messages))),
    send: (input) => Effect.zipRight(swept, send(input)),
    await: awaitEnd,
    cancel,
    answer: (questionId, answer) =>
      Effect.flatMap(reader.question(questionId), ({ sessionId }) =>
        changing(sessionId)(
          Effect.uninterruptible(Effect.zipLeft(storage.answer(questionId, answer), claim(sessionId)))
        )
      ),
    delete: (sessionId) =>
      Effect.zipRight(
        swept,
        detached(Effect.zipRight(boundary.hold(sessionId)(storage.beginDelete(sessionId)), finishDelete(sessionId)))
      ),
    saveAsset: (asset) => Effect.zipRight(swept, assets.save(asset)),
    deleteAsset: (sessionId, assetId) => changing(sessionId)(assets.remove(sessionId, assetId)),
    sweep
  } satisfies Service
})

export const layer = Layer.scoped(Runtime, make)
