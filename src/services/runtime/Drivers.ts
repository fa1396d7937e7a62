/**
 * Drives a session's runs in this engine, one after the other: a run's turn, then its end, then the next queued run.
 *
 * However a turn ends (answered, failed, interrupted or broken), its run ends with one stored stop reason and no open
 * call, unless the lease was lost or storage itself fails. Then the next claim of the session decides about the run.
 * Drivers belong to the engine and not to the fiber that sent the message.
 *
 * An engine that is closed drains: it begins no more runs, gives those that it drives some time to end, and releases
 * the rest, for another engine to go on with. An engine that is outdated can store nothing any more, so it lets go of
 * them as they are.
 *
 * Where engines of other hosts may take over its runs, an engine whose sign of life is overdue in storage releases them
 * as well: see `Checkpoints`.
 */
import {
  Cause,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberSet,
  Layer,
  Metric,
  Option,
  Queue
} from "effect"
import type { Actor } from "../../domain/Actor.js"
import { Checked } from "../../domain/Checked.js"
import type { Lease } from "../../domain/Lease.js"
import * as Live from "../../domain/Live.js"
import * as OpenBatch from "../../domain/OpenBatch.js"
import type { RunId, StopReason } from "../../domain/Run.js"
import * as SafeText from "../../domain/SafeText.js"
import type { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as StepDraft from "../../domain/StepDraft.js"
import { Boundary } from "./Boundary.js"
import { Checkpoints } from "./Checkpoints.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventLoop } from "../EventLoop.js"
import * as Metrics from "../Metrics.js"
import { EventSignals } from "../storage/EventSignals.js"
import type { StartedRun } from "../storage/Storage.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import * as HandlerResult from "./HandlerResult.js"
import { type GivenPresence, Leases } from "./Leases.js"
import { LiveRuns } from "./LiveRuns.js"
import * as StoredEnds from "./StoredEnds.js"
import * as Turns from "./Turns.js"

export interface Service {
  /**
   * Drives a started run, and the queued runs after it. Must run within the boundary in which the run was started: a
   * run that holds a session but that its own engine does not drive is dead. `presence` is what it was started with.
   */
  readonly drive: (started: StartedRun, presence: GivenPresence) => Effect.Effect<void>
  /** The run that this engine drives for a session. */
  readonly driven: (sessionId: SessionId) => Option.Option<RunId>
  /** The leases of all runs that this engine drives. */
  readonly leases: () => ReadonlyArray<Lease>
  /** Returns as soon as this engine drives a run. */
  readonly whenDriving: Effect.Effect<void>
  /** Returns as soon as this engine drives none. */
  readonly whenIdle: Effect.Effect<void>
  /** The next session in which this engine may hold a run without driving it, because storage could not tell. */
  readonly abandoned: Effect.Effect<SessionId>
  /** Returns when the end of a run that this engine drives is stored; immediately for any other run. */
  readonly ended: (runId: RunId) => Effect.Effect<void>
  /**
   * Stops a run that this engine drives, for an actor, and returns when its end is stored. Does nothing for any other
   * run. Fails when storage has not taken the end for more than a moment; it is tried again all the same.
   */
  readonly stop: (
    runId: RunId,
    reason: Extract<StopReason, "cancelled" | "deleted">,
    actor?: Actor | null
  ) => Effect.Effect<void, SkeinError.Write>
  /** Whether the engine is being closed: it no longer begins or takes up runs. */
  readonly isClosing: () => boolean
  /**
   * Begins to close: waits for its runs to end, at most for `drainMillis`, and releases each as soon as it only waits
   * for a human; then releases those that still go on.
   */
  readonly drain: Effect.Effect<void>
  /** Begins to close without storing anything: lets go of all runs. */
  readonly abandon: Effect.Effect<void>
  /** Lets go of a run whose lease is lost: its turn is interrupted, and nothing more of it is stored. */
  readonly lose: (runId: RunId) => Effect.Effect<void>
}

export class Drivers extends Context.Tag("skein/Drivers")<Drivers, Service>() {}

type StopCause = Extract<StopReason, "cancelled" | "deleted"> | "released"

interface DrivenRun {
  readonly started: StartedRun
  readonly ended: Deferred.Deferred<void>
  /** Fails once storage has not taken the run's end for more than a moment. */
  readonly unstored: Deferred.Deferred<never, SkeinError.Write>
  /** The turn, once it runs. */
  fiber: Fiber.RuntimeFiber<Turns.End, unknown> | null
  /** The run's end, once it is stored with its last step. */
  end: Turns.End | null
  /** Why the turn was interrupted. */
  reason: StopCause | null
  /** Who asked for that. */
  stopper: Actor | null
  /** Set when the lease is lost. */
  lost: SkeinError.LeaseLost | null
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const end = (stopReason: StopReason, detail: string | null): Turns.End => ({
  stopReason,
  detail: detail === null ? null : SafeText.storable(detail)
})

const isLeaseLost = (error: unknown): boolean => error instanceof SkeinError.LeaseLost

/** Whether no further attempt can store a run's end. */
const isFinal = (error: unknown): boolean => isLeaseLost(error) || error instanceof SkeinError.StorageUnusable

/** Counts a write that is refused because another engine has taken the run over. */
const counted = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.tapError(write, (error) => (isLeaseLost(error) ? Metric.increment(Metrics.fencedRuns) : Effect.void))

/**
 * How a turn without a stop reason ended: `released` when another engine goes on with the run, null when the run is no
 * longer this engine's to end.
 */
const endOfCause = (
  cause: Cause.Cause<unknown>,
  reason: StopCause | null,
  closing: boolean
): Turns.End | "released" | null => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) {
    const error = failure.value
    if (isLeaseLost(error)) return null
    if (error instanceof SkeinError.SessionDeleting || error instanceof SkeinError.SessionNotFound) {
      return end("deleted", null)
    }
    return end("failed", SkeinError.is(error) ? error.message : "the run failed")
  }
  const defect = Cause.dieOption(cause)
  if (Option.isSome(defect)) return end("failed", `the run broke: ${HandlerResult.nameOf(defect.value)}`)
  if (reason === "released" || (reason === null && closing)) return "released"
  return reason === null ? end("failed", "the run was interrupted from within") : end(reason, null)
}

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const leases = yield* Leases
  const { drainMillis, limits } = yield* EngineConfig
  const { failing } = yield* StoredEnds.StoredEnds
  const checkpoints = yield* Checkpoints
  const live = yield* LiveRuns
  const signals = yield* EventSignals
  const boundary = yield* Boundary
  const turns = yield* Turns.make
  const { turn } = yield* EventLoop
  const fork = yield* FiberSet.makeRuntime()
  const driven = new Map<SessionId, DrivenRun>()
  const driving = yield* Effect.makeLatch(false)
  const idle = yield* Effect.makeLatch(true)
  const abandoned = yield* Queue.unbounded<SessionId>()
  let closing = false
  const closed = yield* Effect.makeLatch(false)
  const beginToClose = Effect.suspend(() => {
    closing = true
    return closed.open
  })
  yield* Effect.addFinalizer(() => beginToClose)

  /** Keeps what an unfinished step had written, marked as partial. */
  const keepPartial = Effect.fnUntraced(function* (started: StartedRun) {
    const step = live.get(started.lease.sessionId)?.step
    if (step === null || step === undefined || step.stored) return
    const message = StepDraft.toPartialMessage(step.draft, step.model)
    if (message === null) return
    yield* Effect.flatMap(Checked.message(message, limits), (checked) => storage.appendStep(started.lease, checked))
    yield* live.update(started.lease.sessionId, Live.endStep)
  }, Effect.exit)

  const logEnd = ({ run }: StartedRun, { stopReason }: Turns.End) =>
    Effect.annotateLogs(Effect.logDebug("a run ended"), { runId: run.id, stopReason })

  const finish = Effect.fnUntraced(function* (
    { end, lost, reason, started, stopper }: DrivenRun,
    exit: Exit.Exit<Turns.End, unknown>
  ) {
    if (end !== null) return yield* logEnd(started, end)
    if (lost !== null) return yield* lost
    const how = Exit.isSuccess(exit) ? exit.value : endOfCause(exit.cause, reason, closing)
    if (Exit.isFailure(exit) && Cause.isDie(exit.cause)) {
      yield* Effect.annotateLogs(Effect.logError("a run broke"), {
        runId: started.run.id,
        defect: HandlerResult.nameOf(Cause.squash(exit.cause))
      })
    }
    if (how === null) return
    // Many calls may have been interrupted, and many may be closed next.
    if (Exit.isFailure(exit)) yield* turn
    if (how === "released") {
      yield* counted(storage.releaseRun(started.lease))
      const isLate = closing ? Effect.void : Effect.logWarning("storage had no sign of life of this engine in time")
      yield* Effect.annotateLogs(Effect.zipRight(isLate, Effect.logInfo("a run was released")), { ...started.lease })
      return
    }
    if (Exit.isFailure(exit)) yield* keepPartial(started)
    yield* counted(storage.endRun(started.lease, { ...how, actor: how.stopReason === reason ? stopper : null }))
    yield* logEnd(started, how)
  })

  const register = (started: StartedRun): DrivenRun => {
    const entry: DrivenRun = {
      started,
      ended: Deferred.unsafeMake(FiberId.none),
      unstored: Deferred.unsafeMake(FiberId.none),
      fiber: null,
      end: null,
      reason: null,
      stopper: null,
      lost: null
    }
    driven.set(started.lease.sessionId, entry)
    Metrics.liveRuns.unsafeModify(1, [])
    idle.unsafeClose()
    driving.unsafeOpen()
    return entry
  }

  /** Removes an entry, unless a run that was started meanwhile has taken its place. */
  const unregister = (entry: DrivenRun): void => {
    const { sessionId } = entry.started.lease
    if (driven.get(sessionId) === entry) driven.delete(sessionId)
    Metrics.liveRuns.unsafeModify(-1, [])
    if (driven.size > 0) return
    driving.unsafeClose()
    idle.unsafeOpen()
  }

  /**
   * The engine must let the run go. Each of its fibers is about to be interrupted; this interrupts the turn as a whole.
   */
  const turnBack = (entry: DrivenRun): void => {
    entry.reason ??= "released"
    entry.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /** Drives one run, from its turn to its stored end. An interruption while it waits for the turn ends the run. */
  const driveOne = Effect.fnUntraced(function* (entry: DrivenRun, restore: Restore) {
    const { lease, run } = entry.started
    yield* Effect.annotateLogs(Effect.logDebug("a run is driven"), { ...lease })
    yield* live.set(lease.sessionId, Live.start(run.id))
    const storedEnd = (end: Turns.End) => void (entry.end = end)
    // The run was started while the engine began to close: the next engine asks the model, so it is not asked twice.
    if (closing) entry.reason ??= "released"
    const passing = checkpoints.guard(() => turnBack(entry))
    const isOver = () => entry.reason !== null || entry.lost !== null
    // A turn that is interrupted as it begins still gets as far as its first wait, which may be for the model.
    const work = isOver() ? Effect.interrupt : passing(turns.run(entry.started, storedEnd))
    // What a model, a tool or a policy fails with may hold anything. What becomes of it is told otherwise.
    const fiber = yield* Effect.withUnhandledErrorLogLevel(Effect.forkDaemon(Effect.interruptible(work)), Option.none())
    entry.fiber = fiber
    if (isOver()) yield* Fiber.interruptFork(fiber)
    yield* Effect.exit(restore(Fiber.await(fiber)).pipe(Effect.onInterrupt(() => Fiber.interrupt(fiber))))
    // Until its end is stored the run holds its session, so an end that storage did not take is tried again; a host's
    // own storage may break where it should fail.
    const exit = yield* Fiber.await(fiber)
    const isFenced = Exit.isFailure(exit) && Option.exists(Cause.failureOption(exit.cause), isLeaseLost)
    if (isFenced) yield* Metric.increment(Metrics.fencedRuns)
    const attempt = Effect.sandbox(finish(entry, exit)).pipe(
      Effect.mapError(Cause.squash),
      Effect.tapError((error) =>
        Effect.annotateLogs(Effect.logWarning("a run's end was not stored"), {
          runId: run.id,
          error: HandlerResult.nameOf(error)
        })
      )
    )
    yield* StoredEnds.untilStored(attempt, {
      isLast: (error) => closing || isFinal(error),
      hurried: closed.await,
      failing: (error) => Effect.zipRight(Deferred.fail(entry.unstored, error), Effect.forkDaemon(failing(error)))
    })
  })

  /** Lets go of a run, whether or not its end is stored, and tells whoever waits for that. */
  const release = (entry: DrivenRun) =>
    Effect.gen(function* () {
      const { lease, run } = entry.started
      unregister(entry)
      yield* live.remove(lease.sessionId, run.id)
      yield* Deferred.succeed(entry.ended, undefined)
      signals.signal(lease.sessionId)
    })

  /** Starts the next queued run. A closing engine leaves it to the engine that claims the session next. */
  const startNext = (sessionId: SessionId) =>
    Effect.flatMap(leases.presence, (presence) =>
      closing
        ? Effect.succeedNone
        : Effect.map(
            storage.startNext(sessionId, presence),
            Option.map((started) => {
              checkpoints.signed(presence)
              return register(started)
            })
          )
    ).pipe(
      boundary.hold(sessionId),
      Effect.catchAllCause(() => Effect.as(Queue.offer(abandoned, sessionId), Option.none()))
    )

  const drive = (first: DrivenRun) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        let next = Option.some(first)
        while (Option.isSome(next)) {
          const entry = next.value
          yield* Effect.ensuring(driveOne(entry, restore), release(entry))
          next = yield* startNext(entry.started.lease.sessionId)
        }
      })
    )

  /** Stops a run, and returns when its end is stored. The first reason counts. */
  const stopEntry = (entry: DrivenRun, reason: StopCause, actor: Actor | null = null) =>
    Effect.suspend(() => {
      if (entry.reason === null) {
        entry.reason = reason
        entry.stopper = actor
      }
      const interrupt = entry.fiber === null ? Effect.void : Fiber.interruptFork(entry.fiber)
      return Effect.zipRight(interrupt, Deferred.await(entry.ended))
    })

  const releaseAll = (entries: Iterable<DrivenRun>) =>
    Effect.forEach(entries, (entry) => stopEntry(entry, "released"), { concurrency: "unbounded", discard: true })

  /** Whether a run can only go on when a human answers: no time is long enough to wait for that. */
  const waitsForHuman = ({ started }: DrivenRun) =>
    Effect.match(reader.openBatch(started.lease.sessionId), {
      onFailure: () => false,
      onSuccess: ({ calls }) => calls.length > 0 && calls.every(OpenBatch.waitsForHuman)
    })

  /** Releases a run as soon as it only waits for a human. */
  const releaseWaiting = Effect.fnUntraced(function* (entry: DrivenRun) {
    const watch = yield* signals.watch(entry.started.lease.sessionId)
    while (!(yield* waitsForHuman(entry))) yield* watch.next
    yield* stopEntry(entry, "released")
  }, Effect.scoped)

  const drain = Effect.gen(function* () {
    yield* beginToClose
    if (driven.size === 0) return
    // It runs in a finalizer, where nothing is interruptible by default.
    const releasing = yield* Effect.forEach([...driven.values()], (entry) =>
      Effect.fork(Effect.interruptible(releaseWaiting(entry)))
    )
    yield* Effect.timeoutOption(Effect.interruptible(idle.await), Duration.millis(drainMillis))
    yield* Effect.forEach(releasing, Fiber.interruptFork, { discard: true })
    yield* releaseAll([...driven.values()])
  })

  /** From now on nothing of the run is stored. */
  const lose = (entry: DrivenRun) => {
    const { lease, run } = entry.started
    entry.lost ??= new SkeinError.LeaseLost({ sessionId: lease.sessionId, runId: run.id })
    return entry.fiber === null ? Effect.void : Fiber.interruptFork(entry.fiber)
  }

  const entryOf = (runId: RunId) => [...driven.values()].find(({ started }) => started.run.id === runId)

  return {
    drive: (started, presence) =>
      Effect.sync(() => {
        checkpoints.signed(presence)
        fork(drive(register(started)))
      }),
    driven: (sessionId) => Option.fromNullable(driven.get(sessionId)?.started.run.id),
    leases: () => [...driven.values()].map(({ started }) => started.lease),
    whenDriving: driving.await,
    whenIdle: idle.await,
    abandoned: Queue.take(abandoned),
    ended: (runId) =>
      Effect.suspend(() => {
        const entry = entryOf(runId)
        return entry === undefined ? Effect.void : Deferred.await(entry.ended)
      }),
    stop: (runId, reason, actor) =>
      Effect.suspend(() => {
        const entry = entryOf(runId)
        if (entry === undefined) return Effect.void
        return Effect.raceFirst(stopEntry(entry, reason, actor), Deferred.await(entry.unstored))
      }),
    isClosing: () => closing,
    drain,
    abandon: Effect.zipRight(
      beginToClose,
      Effect.suspend(() => Effect.forEach([...driven.values()], lose, { discard: true }))
    ),
    lose: (runId) =>
      Effect.suspend(() => {
        const entry = entryOf(runId)
        return entry === undefined ? Effect.void : lose(entry)
      })
  } satisfies Service
})

export const layer = Layer.scoped(Drivers, make)
