/**
 * Asks for what a run of a session writes: first the runner that holds the session's shard, as it most often has the run.
 * The shard may have moved since, or the runner was not reached when the run began: then all are asked, and the one that
 * has the run tells. An engine is built before its process has joined the cluster: until then nobody is asked.
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
  /** Whether this process holds the shard: then it knows of no other that has the run. */
  readonly isHere: (sessionId: SessionId, placement: Placement | null) => boolean
  readonly placementOf: PlacementOf
  /** Ids of entities, one at each runner. */
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
