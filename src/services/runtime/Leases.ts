/** This engine as a holder of leases, and what it knows of the leases of others. */
import { Context, Effect, Layer } from "effect"
import type * as Lease from "../../domain/Lease.js"
import * as Liveness from "../../domain/Liveness.js"
import type { SessionId } from "../../domain/Session.js"
import { EngineConfig } from "../EngineConfig.js"
import { Engines } from "../Engines.js"
import type { Tenancy } from "../storage/Storage.js"

/** A sign of life of this engine, and when it was given on the engine's own clock. */
export interface GivenPresence extends Lease.Presence {
  readonly givenAt: number
}

export interface Service {
  /** How this engine claims a session. */
  readonly presence: Effect.Effect<GivenPresence>
  /** Whether another engine's lease is held, over or unclear. This engine's own is held, a released one over. */
  readonly standing: (tenancy: Tenancy) => Effect.Effect<Liveness.Standing>
  /**
   * Returns those of these leases that are over. For callers that only look: nothing is noted for later, and each
   * engine is checked once.
   */
  readonly left: (tenancies: ReadonlyArray<Tenancy>) => Effect.Effect<ReadonlyArray<Lease.Lease>>
  /** Notes that a silent engine was asked: what was found is checked again later. */
  readonly asked: (watched: Liveness.LeaseWatch, sessionId: SessionId) => Effect.Effect<void>
  /** Forgets what was seen of a session's lease: its engine must be asked again. */
  readonly forget: (sessionId: SessionId) => Effect.Effect<void>
}

export class Leases extends Context.Tag("skein/Leases")<Leases, Service>() {}

const released: Liveness.Standing = { _tag: "Over", reason: "released" }

export const layer: Layer.Layer<Leases, never, Engines> = Layer.effect(
  Leases,
  Effect.gen(function* () {
    const engines = yield* Engines
    const { leaseMillis, placements } = yield* EngineConfig
    /** Leases that could only be watched, or whose engine was asked. */
    const watched = new Map<SessionId, Liveness.LeaseWatch>()

    const livenessOf = (engine: Lease.EngineId): Effect.Effect<Liveness.Liveness> =>
      engine.instance === engines.self.instance ? Effect.succeed("alive") : engines.liveness(engine)

    const left = Effect.fnUntraced(function* (tenancies: ReadonlyArray<Tenancy>) {
      const now = yield* engines.sign
      const seen = new Map<string, Liveness.Liveness>()
      const over: Array<Lease.Lease> = []
      for (const { beat, engine, lease } of tenancies) {
        if (engine === null) over.push(lease)
        else {
          const liveness = seen.get(engine.instance) ?? (yield* livenessOf(engine))
          seen.set(engine.instance, liveness)
          const last = watched.get(lease.sessionId) ?? null
          const { _tag } = Liveness.standing(liveness, { beat, fence: lease.fence }, now, last, leaseMillis)
          if (_tag === "Over") over.push(lease)
        }
      }
      return over
    })

    const standing = Effect.fnUntraced(function* ({ beat, engine, lease }: Tenancy) {
      if (engine === null) return released
      const liveness = yield* livenessOf(engine)
      const seen = { beat, fence: lease.fence }
      const now = yield* engines.sign
      const found = Liveness.standing(liveness, seen, now, watched.get(lease.sessionId) ?? null, leaseMillis)
      // An engine that finds a lease over checks again before it takes the session.
      if (found._tag === "Over") return found
      if (found.watched === null) watched.delete(lease.sessionId)
      else watched.set(lease.sessionId, found.watched)
      return found
    })

    return {
      presence: Effect.suspend(() => {
        const givenAt = engines.elapsed()
        return Effect.map(engines.sign, (sign) => ({ engine: engines.self, sign, leaseMillis, placements, givenAt }))
      }),
      standing,
      left,
      asked: (seen, sessionId) =>
        Effect.map(engines.sign, (sign) => void watched.set(sessionId, Liveness.asked(seen, sign))),
      forget: (sessionId) => Effect.sync(() => void watched.delete(sessionId))
    } satisfies Service
  })
)
