/**
 * Claims: how this engine comes to hold sessions whose run nobody drives any more, and how anybody waits for a run's
 * end, wherever it is driven.
 *
 * A session is claimed within its boundary. Whatever a claim takes, this engine drives; what a dead run left open is
 * closed by what is known of it, and queued runs start in order. A lease that is held is left alone.
 */
import { Clock, Context, Duration, Effect, Layer, Metric, Option, Schedule } from "effect"
import type { Standing } from "../../domain/Liveness.js"
import type { EndedRun, RunId } from "../../domain/Run.js"
import type { SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Metrics from "../Metrics.js"
import { EventSignals } from "../storage/EventSignals.js"
import { type Holder, Storage, StorageReader } from "../storage/Storage.js"
import { Boundary } from "./Boundary.js"
import { Drivers } from "./Drivers.js"
import { Leases } from "./Leases.js"
import * as LeftCalls from "./LeftCalls.js"

export interface Service {
  /** Claims a session that nobody holds any more, and drives what it takes. Within the boundary. */
  readonly claim: (
    sessionId: SessionId
  ) => Effect.Effect<void, SkeinError.Change | SkeinError.SessionNotFound | SkeinError.Read>
  /** Takes over the run that `holder` shows when its lease is over. Within the boundary. */
  readonly takeOver: (holder: Holder) => Effect.Effect<void, SkeinError.Write | SkeinError.SessionNotFound>
  /** Claims a session in the background, as soon as storage permits. */
  readonly claimLater: (sessionId: SessionId) => Effect.Effect<void>
  /** Waits until the lease of a session's holder is known to be held or over: at most for the time of a lease. */
  readonly settle: (sessionId: SessionId) => Effect.Effect<void, SkeinError.SessionNotFound | SkeinError.Read>
  /** Waits for a run's end. Nobody reports an engine's death: it is looked for, and the session then claimed. */
  readonly awaitEnd: (runId: RunId) => Effect.Effect<EndedRun, SkeinError.RunNotFound | SkeinError.Read>
}

export class Claims extends Context.Tag("skein/Claims")<Claims, Service>() {}

/** How often a waiting client looks whether the engine that holds the run is dead, in nanoseconds. */
const lookForDeaths = 1_000_000_000n

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const leases = yield* Leases
  const drivers = yield* Drivers
  const boundary = yield* Boundary
  const leftCalls = yield* LeftCalls.make
  const { leaseMillis } = yield* EngineConfig
  const scope = yield* Effect.scope

  /** Whether a holder's lease is held. A run of this engine that it does not drive is a dead one. */
  const standingOf = (holder: Holder): Effect.Effect<Standing> =>
    Effect.flatMap(leases.presence, ({ engine }) =>
      holder.engine.instance === engine.instance &&
      !Option.contains(drivers.driven(holder.run.sessionId), holder.run.id)
        ? Effect.succeed({ _tag: "Over", reason: "crashed" })
        : leases.standing(holder)
    )

  /** Null while the lease is held, or when another engine was faster. */
  const takeOver = Effect.fnUntraced(function* (holder: Holder) {
    const standing = yield* standingOf(holder)
    if (standing._tag !== "Over") return null
    const { beat, lease } = holder
    const seen = { lease, count: beat.count, reason: standing.reason }
    if (standing.reason === "crashed") yield* leftCalls.end(lease)
    const taken = yield* storage.takeOver(seen, yield* leases.presence)
    if (taken._tag === "Lost") return null
    yield* Metric.increment(Metric.tagged(Metrics.recoveredRuns, "reason", standing.reason))
    yield* Effect.annotateLogs(Effect.logInfo("took a run over"), { ...lease, reason: standing.reason, as: taken._tag })
    return taken
  })

  const claim = Effect.fn("Claims.claim")(function* (sessionId: SessionId) {
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

  const claimLater = (sessionId: SessionId) =>
    boundary
      .hold(sessionId)(claim(sessionId))
      .pipe(
        Effect.retry({
          schedule: Schedule.spaced(Duration.nanos(lookForDeaths)),
          while: ({ _tag }) => _tag !== "SessionNotFound" && _tag !== "SessionDeleting" && _tag !== "StorageUnusable"
        }),
        Effect.ignore,
        Effect.interruptible,
        Effect.forkIn(scope),
        Effect.asVoid
      )
  // Storage failed when such a run was started, and does not know whether it was: this engine may hold it undriven.
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(drivers.abandoned, claimLater)))

  const settle = Effect.fn("Claims.settle")(function* (sessionId: SessionId) {
    while (true) {
      const { holder } = yield* reader.activity(sessionId)
      if (Option.isNone(holder) || (yield* standingOf(holder.value))._tag !== "Unclear") return
      yield* Effect.sleep(Duration.millis(leaseMillis / 4))
    }
  })

  const awaitEnd = Effect.fn("Claims.awaitEnd")(function* (runId: RunId) {
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

  return {
    claim,
    takeOver: (holder) => Effect.asVoid(takeOver(holder)),
    claimLater,
    settle,
    awaitEnd
  } satisfies Service
})

export const layer = Layer.scoped(Claims, make)
