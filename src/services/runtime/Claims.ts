/**
 * Claims: how this engine takes hold of sessions whose run nobody drives any more, and how callers wait for a run's
 * end, wherever it is driven.
 *
 * A session is claimed within its boundary. This engine drives whatever a claim takes: a run that it goes on with, and
 * queued runs in order. A run that it does not go on with is closed by what is known about it. A lease that is held is
 * left alone.
 *
 * An engine goes on with runs that were released and, where the host wants it, with runs whose engine died. A run that
 * was left too long ago waits for a person, because nobody wants yesterday's work to start by itself. An answer is what a
 * person wants: a run with one is never too old, whoever took the answer.
 */
import { Cause, Clock, Context, Duration, Effect, Layer, Metric, Option, Schedule } from "effect"
import type { TakeoverReason } from "../../domain/Lease.js"
import type { Standing } from "../../domain/Liveness.js"
import { isServed } from "../../domain/Placement.js"
import type { EndedRun, Ref, RunId } from "../../domain/Run.js"
import type { SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Metrics from "../Metrics.js"
import { EventSignals } from "../storage/EventSignals.js"
import { StorageClock } from "../storage/StorageClock.js"
import {
  type Holder,
  type LeftSince,
  type Occupancy,
  Storage,
  StorageReader,
  type Takeover,
  type Tenancy
} from "../storage/Storage.js"
import { Boundary } from "./Boundary.js"
import { Drivers } from "./Drivers.js"
import { Leases } from "./Leases.js"
import * as LeftCalls from "./LeftCalls.js"

/**
 * Who claims, which decides what becomes of a run that was left too long ago: an `engine` lets it wait, a `client` that
 * wants something else from the session ends it, `resume` goes on with it.
 */
export type Claimant = "engine" | "client" | "resume"

export interface Service {
  /**
   * Claims a session that nobody holds any more, and drives what it takes. Must run within the boundary. A closing
   * engine takes nothing, and no engine takes a session whose placement it does not serve. Returns the run that it goes
   * on with, or the one that waited and that it starts, if there is one.
   */
  readonly claim: (
    sessionId: SessionId,
    claimant: Claimant
  ) => Effect.Effect<Option.Option<Ref>, SkeinError.Change | SkeinError.SessionNotFound | SkeinError.Read>
  /** Runs that were left before this wait for a person: no engine takes them up by itself. */
  readonly leftSince: Effect.Effect<LeftSince>
  /** Takes over the run that `holder` shows if its lease is over, and ends it. */
  readonly takeOver: (holder: Holder) => Effect.Effect<void, SkeinError.Write | SkeinError.SessionNotFound>
  /** Claims a session in the background, as soon as storage permits. */
  readonly claimLater: (sessionId: SessionId) => Effect.Effect<void>
  /**
   * Sees to it that the queued runs of a session get their turn, even if the engine of the run before them dies and
   * nobody waits for them. A session is watched once, however many runs wait in it. Must run within the boundary.
   */
  readonly watchQueue: (sessionId: SessionId) => Effect.Effect<void>
  /** Waits until the lease of a session's holder is known to be held or over: at most about two leases and a second. */
  readonly settle: (sessionId: SessionId) => Effect.Effect<void, SkeinError.SessionNotFound | SkeinError.Read>
  /** Waits for a run's end. Nobody reports an engine's death: this checks for it, and then claims the session. */
  readonly awaitEnd: (runId: RunId) => Effect.Effect<EndedRun, SkeinError.RunNotFound | SkeinError.Read>
  /** The same for a run that is to be cancelled. If nobody holds it, it is ended, whoever serves its placement. */
  readonly awaitCancelled: (runId: RunId) => Effect.Effect<EndedRun, SkeinError.RunNotFound | SkeinError.Read>
  /**
   * Returns how the lease of a session stands, as far as that can be known without claiming it. A silent engine is
   * asked, once `sign` has stored a sign of life of this engine.
   */
  readonly standing: (tenancy: Tenancy, sign: Effect.Effect<void, SkeinError.Write>) => Effect.Effect<Standing>
  /** Stores a sign of life of this engine. */
  readonly sign: Effect.Effect<void, SkeinError.Write>
}

export class Claims extends Context.Tag("skein/Claims")<Claims, Service>() {}

/** How often those that wait for runs check whether the engine that holds them is dead, in nanoseconds. */
const lookForDeaths = 1_000_000_000n

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const leases = yield* Leases
  const drivers = yield* Drivers
  const boundary = yield* Boundary
  const leftCalls = yield* LeftCalls.make
  const config = yield* EngineConfig
  const scope = yield* Effect.scope
  const { ahead } = yield* StorageClock
  /** Storage's time, because storage has recorded when runs were left. */
  const currentTime = Effect.map(Clock.currentTimeMillis, (now) => now + ahead())

  /** Whether a lease is held. A run of this engine that the engine does not drive is a dead one. */
  const standingOf = (tenancy: Tenancy): Effect.Effect<Standing> =>
    Effect.flatMap(leases.presence, ({ engine }) =>
      tenancy.engine?.instance === engine.instance &&
      !Option.contains(drivers.driven(tenancy.lease.sessionId), tenancy.lease.runId)
        ? Effect.succeed({ _tag: "Over", reason: "crashed" })
        : leases.standing(tenancy)
    )

  const sign = Effect.asVoid(Effect.flatMap(leases.presence, storage.renew))

  /** The same for a caller that wants to claim the session: a silent engine is asked for a sign of life. */
  const settledStanding = (tenancy: Tenancy, signed = sign) =>
    Effect.tap(standingOf(tenancy), (standing) =>
      standing._tag === "Silent"
        ? Effect.ignore(Effect.zipRight(signed, leases.asked(standing.watched, tenancy.lease.sessionId)))
        : Effect.void
    )

  const leftSince = Effect.map(currentTime, (now): LeftSince => {
    const since = Math.max(0, Math.floor(now - config.continueWithinMillis) + 1)
    return { released: since, silent: config.recovery === "continue" ? since : 0 }
  })

  /** What becomes of a run that was left; null when it must wait for a person. */
  const recoveryOf = (
    { beat, run }: Holder,
    reason: TakeoverReason,
    claimant: Claimant
  ): Effect.Effect<Takeover["recovery"] | null> =>
    Effect.map(leftSince, (since) => {
      const isContinued = reason === "released" || config.recovery === "continue"
      if (!isContinued) return "end"
      if (claimant === "resume") return "continue"
      const leftAt = run.releasedAt ?? beat.seenAt ?? run.startedAt
      if (leftAt >= (reason === "released" ? since.released : since.silent)) return "continue"
      return claimant === "engine" ? null : "end"
    })

  /** Returns null while the lease is held, when another engine was faster, or when the run must wait for a person. */
  const takeOver = Effect.fnUntraced(function* (holder: Holder, claimant: Claimant | "deletion") {
    const lookedAt = yield* currentTime
    const standing = yield* settledStanding(holder)
    if (standing._tag !== "Over") return null
    const { beat, lease } = holder
    const { reason } = standing
    const recovery = claimant === "deletion" ? "end" : yield* recoveryOf(holder, reason, claimant)
    if (recovery === null) return null
    const seen = { lease, count: beat.count, reason, lookedAt, recovery }
    if (reason === "crashed") yield* leftCalls.end(lease)
    const presence = yield* leases.presence
    const taken = yield* storage.takeOver(seen, presence)
    yield* leases.forget(lease.sessionId)
    if (taken._tag === "Lost") return null
    yield* Metric.increment(Metric.tagged(Metrics.recoveredRuns, "reason", reason))
    yield* Effect.annotateLogs(Effect.logInfo("took a run over"), { ...lease, reason, as: taken._tag })
    return { presence, ...taken }
  })

  const claimAsSeen = Effect.fnUntraced(function* (
    sessionId: SessionId,
    { hasQueued, holder, isAnswered, placement }: Occupancy,
    claimant: Claimant
  ) {
    if (!isServed(placement, config.placements)) return Option.none()
    if (Option.isSome(holder)) {
      const taken = yield* takeOver(holder.value, isAnswered ? "resume" : claimant)
      if (taken === null) return Option.none()
      if (taken._tag === "Continues")
        return Option.some(yield* Effect.as(drivers.drive(taken, taken.presence), taken.ref))
    }
    if (!hasQueued && Option.isNone(holder)) return Option.none()
    const presence = yield* leases.presence
    const next = yield* storage.startNext(sessionId, presence)
    if (Option.isSome(next)) yield* drivers.drive(next.value, presence)
    return Option.map(next, ({ ref }) => ref)
  })

  const claim = Effect.fn("Claims.claim")(
    (sessionId: SessionId, claimant: Claimant) =>
      drivers.isClosing()
        ? Effect.succeedNone
        : Effect.flatMap(reader.occupancy(sessionId), (seen) => claimAsSeen(sessionId, seen, claimant)),
    Effect.uninterruptible
  )

  /**
   * Claims the session of a run that somebody has asked to cancel; if its placement is not served, only ends the run.
   */
  const endCancelled = Effect.fnUntraced(function* (sessionId: SessionId, runId: RunId) {
    const { holder, placement } = yield* reader.occupancy(sessionId)
    if (isServed(placement, config.placements)) yield* claim(sessionId, "engine")
    else if (Option.isSome(holder) && holder.value.run.id === runId) yield* takeOver(holder.value, "deletion")
  })

  const mayYetSucceed = ({ _tag }: SkeinError.Change | SkeinError.SessionNotFound | SkeinError.Read) =>
    _tag !== "SessionNotFound" && _tag !== "SessionDeleting" && _tag !== "StorageUnusable"

  /** Whether it may succeed later. A storage that breaks may work again. */
  const mayPass = (cause: Cause.Cause<SkeinError.Change | SkeinError.SessionNotFound | SkeinError.Read>): boolean =>
    !Cause.isInterrupted(cause) &&
    Option.match(Cause.failureOption(cause), { onNone: () => true, onSome: mayYetSucceed })

  const claimLater = (sessionId: SessionId) =>
    boundary
      .hold(sessionId)(claim(sessionId, "engine"))
      .pipe(
        Effect.sandbox,
        Effect.retry({ schedule: Schedule.spaced(Duration.nanos(lookForDeaths)), while: mayPass }),
        Effect.ignore,
        Effect.interruptible,
        Effect.forkIn(scope),
        Effect.asVoid
      )
  // Storage failed while such a run was being started, so it may or may not have started: this engine may hold it
  // without driving it.
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(drivers.abandoned, claimLater)))

  /** Sessions whose queue this engine watches. */
  const watchedQueues = new Set<SessionId>()

  /** Claims a session if nobody holds it. Returns whether a run is left in it. */
  const claimQueued = (sessionId: SessionId) =>
    Effect.gen(function* () {
      const seen = yield* reader.occupancy(sessionId)
      if (!seen.hasQueued && Option.isNone(seen.holder)) return false
      if (!drivers.isClosing()) yield* claimAsSeen(sessionId, seen, "engine")
      return true
    }).pipe(
      Effect.catchAllCause((cause) => Effect.succeed(mayPass(cause))),
      // Within the boundary, so that a run that is queued next finds its session watched or watches it.
      Effect.tap((isLeft) => {
        if (!isLeft) watchedQueues.delete(sessionId)
      }),
      Effect.uninterruptible
    )

  const lookAtQueue = Effect.fnUntraced(function* (sessionId: SessionId) {
    // A run of this engine needs no watching: its driver starts the next one.
    const driven = drivers.driven(sessionId)
    if (Option.isSome(driven)) yield* drivers.ended(driven.value)
    yield* Effect.sleep(Duration.nanos(lookForDeaths))
    if (Option.isSome(drivers.driven(sessionId))) return true
    return yield* boundary.hold(sessionId)(claimQueued(sessionId))
  })

  const watchQueue = (sessionId: SessionId) =>
    Effect.suspend(() => {
      if (watchedQueues.has(sessionId)) return Effect.void
      watchedQueues.add(sessionId)
      const watching = Effect.repeat(lookAtQueue(sessionId), { while: (isLeft) => isLeft }).pipe(
        Effect.onError(() => Effect.sync(() => watchedQueues.delete(sessionId)))
      )
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(watching), scope))
    })

  const settle = Effect.fn("Claims.settle")(function* (sessionId: SessionId) {
    while (true) {
      const { holder } = yield* reader.occupancy(sessionId)
      if (Option.isNone(holder)) return
      const { _tag } = yield* settledStanding(holder.value)
      if (_tag === "Held" || _tag === "Over") return
      yield* Effect.sleep(Duration.millis(config.leaseMillis / 4))
    }
  })

  const awaitEnd = Effect.fn("Claims.awaitEnd")(function* (
    runId: RunId,
    look: (sessionId: SessionId) => Effect.Effect<unknown, unknown>
  ) {
    // A run of this engine needs no watching: its driver reports the end.
    yield* drivers.ended(runId)
    const found = yield* reader.run(runId)
    if (found.state === "ended") return found
    const { sessionId } = found
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
      if (Option.isNone(drivers.driven(sessionId))) yield* Effect.ignore(boundary.hold(sessionId)(look(sessionId)))
    }
  }, Effect.scoped)

  return {
    claim,
    leftSince,
    takeOver: (holder) => Effect.asVoid(takeOver(holder, "deletion")),
    claimLater,
    watchQueue,
    settle,
    awaitEnd: (runId) => awaitEnd(runId, (sessionId) => claim(sessionId, "engine")),
    awaitCancelled: (runId) => awaitEnd(runId, (sessionId) => endCancelled(sessionId, runId)),
    standing: settledStanding,
    sign
  } satisfies Service
})

export const layer = Layer.scoped(Claims, make)
