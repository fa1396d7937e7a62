/** The placements of sessions that were looked up here. A session's placement never changes, so it is remembered. */
import { Effect } from "effect"
import type { Placement } from "../../domain/Placement.js"
import type { SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import type { Service } from "../../services/gateway/Gateway.js"

/** Fails for an unknown session. */
export type PlacementOf = (sessionId: SessionId) => Effect.Effect<Placement | null, SkeinError.ReadSession>

/** How many are remembered at most. */
const most = 10_000

export const make = (gateway: Pick<Service, "session">): PlacementOf => {
  const known = new Map<SessionId, Placement | null>()
  return (sessionId) => {
    const placement = known.get(sessionId)
    if (placement !== undefined) return Effect.succeed(placement)
    return Effect.map(gateway.session(sessionId), ({ placement }) => {
      if (known.size >= most) known.clear()
      known.set(sessionId, placement)
      return placement
    })
  }
}
