/**
 * Asks other runners for what a run of a session writes. The runner that holds the session's shard comes first, because
 * it usually has the run. If it has nothing to tell (the shard has moved since, or the runner could not be reached when
 * the run began), all runners are asked, and the one that has the run answers. An engine is built before its process
 * has joined the cluster; until then no runner is asked.
 */
import { Effect, Layer, Stream } from "effect"
import type { Placement } from "../../domain/Placement.js"
import type { SessionId } from "../../domain/Session.js"
import { Mirrors } from "../../services/gateway/Mirrors.js"
import * as Mirroring from "./Mirroring.js"
import type { PlacementOf } from "./Placements.js"
import * as SessionEntity from "./SessionEntity.js"

interface Joined {
  readonly client: SessionEntity.Client
  /** Whether this process holds the session's shard. If so, it knows of no other process that has the run. */
  readonly isHere: (sessionId: SessionId, placement: Placement | null) => boolean
  readonly placementOf: PlacementOf
  /** Entity ids, one at each runner. */
  readonly everywhere: Effect.Effect<ReadonlyArray<string>, unknown>
}

export const make = () => {
  let joined: Joined | null = null
  return {
    join: (given: Joined): void => {
      joined = given
    },
    layer: Layer.succeed(
      Mirrors,
      Mirroring.make((sessionId, after) => {
        if (joined === null) return Stream.empty
        const { client, everywhere, isHere, placementOf } = joined
        const first = Effect.map(placementOf(sessionId), (placement) =>
          isHere(sessionId, placement)
            ? Stream.empty
            : client(SessionEntity.entityIdOf(sessionId, placement)).live({ sessionId, after, patient: true })
        )
        const all = Effect.map(everywhere, (ids) =>
          Stream.mergeAll(
            ids.map((id) => client(id).live({ sessionId, after, patient: false })),
            { concurrency: "unbounded" }
          )
        )
        return Stream.unwrap(first).pipe(Stream.orElseIfEmptyStream(() => Stream.unwrap(all)))
      })
    )
  }
}
