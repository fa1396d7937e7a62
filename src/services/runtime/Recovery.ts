/**
 * Recovery: this engine looks for sessions that other engines left behind, with runs that wait or whose engine is dead,
 * and claims them: when it opens and for as long as it lives, if the host wants it. It takes no more than it may drive, and
 * only of the placements that it serves. A
 * look is one read, and one look at each other engine that holds a run.
 */
import { Context, Duration, Effect, Layer, Option, Schedule } from "effect"
import { isServed } from "../../domain/Placement.js"
import type { Owner, SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { EngineConfig } from "../EngineConfig.js"
import { StorageReader, type UnsettledSession } from "../storage/Storage.js"
import { Boundary } from "./Boundary.js"
import { Claims } from "./Claims.js"
import { Drivers } from "./Drivers.js"

export interface Service {
  /**
   * Claims sessions that were left behind, of one owner or of all, while this engine drives fewer than `limit` runs.
   * Returns those whose runs go on here. One that cannot be claimed is logged and left to the next look.
   */
  readonly recover: (limit: number, owner: Owner | null) => Effect.Effect<ReadonlyArray<SessionId>, SkeinError.Read>
}

export class Recovery extends Context.Tag("skein/Recovery")<Recovery, Service>() {}

const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const boundary = yield* Boundary
  const claims = yield* Claims
  const drivers = yield* Drivers
  const { placements, recoverMillis, recoverRuns } = yield* EngineConfig

  const isDriven = (sessionId: SessionId) => Option.isSome(drivers.driven(sessionId))

  const belongsTo = (sessionId: SessionId, owner: Owner | null) =>
    owner === null
      ? Effect.succeed(true)
      : Effect.match(reader.session(sessionId), {
          onFailure: () => false,
          onSuccess: (session) => session.owner === owner
        })

  const claim = (sessionId: SessionId) =>
    boundary
      .hold(sessionId)(claims.claim(sessionId, "engine"))
      .pipe(
        Effect.catchTag("SessionNotFound", "SessionDeleting", () => Effect.void),
        Effect.tapError((error) =>
          Effect.annotateLogs(Effect.logWarning("a session was not recovered"), { sessionId, error: error._tag })
        ),
        Effect.ignore,
        Effect.map(() => isDriven(sessionId))
      )

  const recover = Effect.fn("Recovery.recover")(function* (limit: number, owner: Owner | null) {
    const taken: Array<SessionId> = []
    /** Engines that hold a lease, and so all of theirs. */
    const living = new Set<string>()
    const isClaimable = Effect.fnUntraced(function* ({ placement, tenancy }: UnsettledSession) {
      if (!isServed(placement, placements)) return false
      if (tenancy === null) return true
      const instance = tenancy.engine?.instance
      if (instance !== undefined && living.has(instance)) return false
      const { _tag } = yield* claims.standing(tenancy)
      if (_tag === "Held" && instance !== undefined) living.add(instance)
      return _tag === "Over"
    })
    for (const session of yield* reader.unsettled) {
      const { sessionId } = session
      if (drivers.isClosing() || drivers.leases().length >= limit) break
      if (isDriven(sessionId) || !(yield* isClaimable(session))) continue
      if ((yield* belongsTo(sessionId, owner)) && (yield* claim(sessionId))) taken.push(sessionId)
    }
    return taken
  })

  if (recoverMillis !== null) {
    const look = Effect.ignoreLogged(recover(recoverRuns, null))
    yield* Effect.forkScoped(Effect.interruptible(Effect.repeat(look, Schedule.spaced(Duration.millis(recoverMillis)))))
  }

  return { recover } satisfies Service
})

export const layer = Layer.scoped(Recovery, make)
