/**
 * Recovery: this engine looks for sessions that other engines left behind, with runs that wait or whose engine is dead,
 * and claims them. If the host wants it, it does so when it opens and for as long as it lives. It takes no more than it
 * may drive, and only sessions whose placement it serves. A search is one read, and one check of each other engine that
 * holds a run. Sessions that wait for a person are not even found, so that any number of them costs no more than that.
 *
 * Where engines divide the sessions among themselves, it leaves the sessions of others to them for a third of a lease,
 * so that one engine comes and not all of them. After that, any engine may take what is left. If a session's engine is
 * silent, the time counts from when that engine was first asked, because its lease is over only later: the engine that
 * comes first may be silent as well, and no run should wait for both.
 */
import { Context, Duration, Effect, Layer, Option } from "effect"
import * as Liveness from "../../domain/Liveness.js"
import { isServed } from "../../domain/Placement.js"
import type { Owner, SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { EngineConfig } from "../EngineConfig.js"
import { Engines } from "../Engines.js"
import { StorageReader, type UnsettledSession } from "../storage/Storage.js"
import { Stretch } from "../Stretch.js"
import { Boundary } from "./Boundary.js"
import { Claims } from "./Claims.js"
import { Drivers } from "./Drivers.js"
import * as KeyQueues from "./KeyQueues.js"
import { Shares } from "./Shares.js"

export interface Service {
  /**
   * Claims sessions that were left behind, of one owner or of all, while this engine drives fewer than `limit` runs.
   * Returns those whose runs go on here. A session that cannot be claimed is logged and left to the next search.
   */
  readonly recover: (limit: number, owner: Owner | null) => Effect.Effect<ReadonlyArray<SessionId>, SkeinError.Read>
}

export class Recovery extends Context.Tag("skein/Recovery")<Recovery, Service>() {}

/**
 * Sessions that are claimed at the same time. A claim may take a while, because what a dead engine's calls left running
 * is ended first.
 */
const atOnce = 16

/** Sessions that are claimed, and that are checked, in one stretch. */
const [claimedInStretch, checkedInStretch] = [16, 256]

/** How the lease of a session stands if nobody is known to hold it. */
type Unheld = Exclude<Liveness.Standing["_tag"], "Held">

const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const boundary = yield* Boundary
  const claims = yield* Claims
  const drivers = yield* Drivers
  const { elapsed, sign: ownSign } = yield* Engines
  const shares = yield* Shares
  const stretch = yield* Stretch
  const nextSession = stretch.oneOf(checkedInStretch)
  const nextClaim = stretch.oneOf(claimedInStretch)
  const scope = yield* Effect.scope
  const { leaseMillis, placements, recoverMillis, recoverRuns } = yield* EngineConfig

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

  /** Sessions that are being claimed, or are about to be. */
  const claiming = new Set<SessionId>()
  const slots = KeyQueues.make(atOnce)

  /** Sessions that may be claimed and whose turn it is, the oldest first. */
  const find = Effect.fnUntraced(function* (
    isTurn: (session: UnsettledSession, standing: Unheld) => boolean = () => true,
    /** Receives the milliseconds after which another search finds out more. */
    waits: (millis: number) => void = () => undefined
  ) {
    /** Engines that were found to hold a lease, and so hold all of theirs. */
    const living = new Set<string>()
    /** One sign is enough for all engines that are asked. */
    const sign = yield* Effect.cached(claims.sign)
    const isClaimable = Effect.fnUntraced(function* (session: UnsettledSession) {
      const { placement, sessionId, tenancy } = session
      if (isDriven(sessionId) || claiming.has(sessionId) || !isServed(placement, placements)) return false
      if (tenancy === null) return isTurn(session, "Over")
      const instance = tenancy.engine?.instance
      if (instance !== undefined && living.has(instance)) return false
      const standing = yield* claims.standing(tenancy, sign)
      if (standing._tag === "Unclear" || standing._tag === "Silent") {
        waits(Liveness.waitMillis(standing, yield* ownSign, tenancy.beat.leaseMillis ?? leaseMillis))
      }
      if (standing._tag !== "Held") return isTurn(session, standing._tag) && standing._tag === "Over"
      if (instance !== undefined) living.add(instance)
      return false
    })
    const found: Array<SessionId> = []
    for (const session of yield* reader.unsettled(yield* claims.leftSince)) {
      yield* nextSession
      if (yield* isClaimable(session)) found.push(session.sessionId)
    }
    return found
  })

  /** Claims the sessions that there is room for. Returns those whose runs go on here. */
  const take = Effect.fnUntraced(function* (sessionIds: ReadonlyArray<SessionId>, limit: number, owner: Owner | null) {
    const takeOne = (sessionId: SessionId) =>
      Effect.suspend(() => {
        const isRoom = drivers.leases().length + claiming.size < limit
        if (!isRoom || drivers.isClosing() || claiming.has(sessionId)) return Effect.succeed(false)
        claiming.add(sessionId)
        return Effect.zipRight(nextClaim, belongsTo(sessionId, owner)).pipe(
          Effect.flatMap((isOwners) => (isOwners ? claim(sessionId) : Effect.succeed(false))),
          slots.hold("all"),
          Effect.ensuring(Effect.sync(() => claiming.delete(sessionId)))
        )
      })
    const isTaken = yield* Effect.forEach(sessionIds, takeOne, { concurrency: atOnce })
    return sessionIds.filter((_, place) => isTaken[place])
  })

  /** Sessions that the last search, and this one, found unheld: since when, and whether their lease was over. */
  let waiting = new Map<SessionId, { readonly since: number; readonly isOver: boolean }>()
  const look = Effect.fnUntraced(function* (spacing: number) {
    const now = elapsed()
    let wait = spacing
    const waits = (millis: number) => void (wait = Math.min(wait, millis))
    const before = waiting
    waiting = new Map()
    const isTurn = ({ placement, sessionId }: UnsettledSession, standing: Unheld) => {
      const known = before.get(sessionId)
      // Between two signs of life nothing is clear about engines of other hosts.
      if (known === undefined && standing === "Unclear") return false
      const since = known?.since ?? now
      const isOver = standing === "Over"
      // Noted for its own sessions too: by the next search a session may be the share of another engine, which has
      // asked nobody yet.
      waiting.set(sessionId, { since, isOver })
      if (shares.isOwn(sessionId, placement)) return true
      if (isOver) waits(spacing / 2)
      return known?.isOver === true && now - since >= leaseMillis / 3
    }
    // Claims may take a while, and must not delay the next search.
    yield* find(isTurn, waits).pipe(
      Effect.flatMap((found) =>
        found.length === 0
          ? Effect.void
          : Effect.forkIn(Effect.withSpan(take(found, recoverRuns, null), "Recovery.take"), scope)
      ),
      Effect.ignoreLogged
    )
    yield* Effect.sleep(Duration.millis(Math.max(spacing / 10, now + wait - elapsed())))
  })

  if (recoverMillis !== null) yield* Effect.forkScoped(Effect.interruptible(Effect.forever(look(recoverMillis))))

  return {
    recover: Effect.fn("Recovery.recover")((limit, owner) =>
      Effect.flatMap(find(), (found) => take(found, limit, owner))
    )
  } satisfies Service
})

export const layer = Layer.scoped(Recovery, make)
