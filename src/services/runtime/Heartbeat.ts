/**
 * Background work for the runs of this engine; idle while it has none. It gives signs of life, stops runs that other
 * processes want stopped, and stores what running steps have written so far.
 *
 * Where several hosts share a storage, it also checks whether storage had the signs in time (see `Checkpoints`).
 *
 * A run whose lease is lost is let go: it is interrupted and writes nothing more. That is noticed when another process
 * takes the run over, not only at the run's next write.
 */
import { Duration, Effect, Layer, Schedule } from "effect"
import * as Live from "../../domain/Live.js"
import { signsInLease } from "../../domain/Liveness.js"
import type { SessionId } from "../../domain/Session.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Engines } from "../Engines.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import { Checkpoints } from "./Checkpoints.js"
import { Drivers } from "./Drivers.js"
import { Leases } from "./Leases.js"
import { LiveRuns } from "./LiveRuns.js"

/** Between two checks of what running steps have written: other processes see it within a second. */
const draftInterval = "700 millis"

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const engines = yield* Engines
  const drivers = yield* Drivers
  const leases = yield* Leases
  const live = yield* LiveRuns
  const checkpoints = yield* Checkpoints
  const { leaseMillis } = yield* EngineConfig

  const renew = Effect.flatMap(leases.presence, (presence) =>
    Effect.map(storage.renew(presence), () => checkpoints.signed(presence))
  )

  /** Tries again soon: there is time for several attempts before others take the silence for death. */
  const soon = <E>(work: Effect.Effect<void, E>) =>
    Effect.retry(Effect.sandbox(work), Schedule.spaced(Duration.millis(leaseMillis / 12)))

  /** Reads first what this engine holds: what storage shows is then newer, and lacks only what was lost. */
  const obey = Effect.gen(function* () {
    const held = drivers.leases()
    const runs = new Map((yield* reader.heldRuns(engines.self.instance)).map((run) => [run.lease.runId, run]))
    for (const lease of held) {
      const run = runs.get(lease.runId)
      if (run?.lease.fence !== lease.fence) yield* drivers.lose(lease.runId)
      else if (run.stopRequest !== null) {
        const stopper = run.stopRequest === "cancelled" ? run.cancelledBy : null
        yield* Effect.forkDaemon(drivers.stop(lease.runId, run.stopRequest, stopper))
      }
    }
  })

  const saved = new Map<SessionId, Live.Live["step"]>()
  const saveDrafts = Effect.suspend(() => {
    const held = drivers.leases()
    const news = held.flatMap((lease) => {
      const now = live.get(lease.sessionId)
      const draft = now === undefined ? null : Live.draftOf(now)
      if (now === undefined || draft === null || saved.get(lease.sessionId) === now.step) return []
      saved.set(lease.sessionId, now.step)
      return [{ lease, draft }]
    })
    const sessions = new Set(held.map(({ sessionId }) => sessionId))
    for (const sessionId of saved.keys()) if (!sessions.has(sessionId)) saved.delete(sessionId)
    return news.length === 0 ? Effect.void : storage.saveDrafts(news)
  })

  /** Storage that breaks is no reason to give no more signs of life. */
  const attempt = (work: Effect.Effect<void, unknown>) => Effect.asVoid(Effect.exit(work))

  /** Repeats the steps in order for as long as the scope is open. */
  const again = (...steps: ReadonlyArray<Effect.Effect<void>>) =>
    Effect.forkScoped(Effect.forever(Effect.all(steps, { discard: true })))

  const attend = Effect.gen(function* () {
    const watch = yield* signals.watchStopRequests
    yield* again(Effect.sleep(Duration.millis(leaseMillis / signsInLease)), attempt(soon(renew)))
    yield* Effect.forkScoped(checkpoints.watch)
    yield* again(live.changed, Effect.sleep(draftInterval), attempt(saveDrafts))
    yield* again(attempt(obey), watch.next)
    yield* drivers.whenIdle
  }).pipe(Effect.scoped)

  yield* Effect.forkScoped(Effect.forever(Effect.zipRight(drivers.whenDriving, attend)))
})

export const layer = Layer.scopedDiscard(make)
