/**
 * The one entity of a cluster: a session, as far as it needs an engine. Its messages are not stored. What remains of
 * them is what `Storage.admit` and similar calls store, under an idempotency key where that matters; a lost message is
 * sent again. A handler calls the Gateway of its own process and ends. The run that it began belongs to that process's
 * engine and ends neither with the entity nor with its caller.
 *
 * A session with a placement belongs to that placement's shard group, held only by runners that serve the placement.
 */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import * as Entity from "@effect/cluster/Entity"
import * as EntityId from "@effect/cluster/EntityId"
import type * as Sharding from "@effect/cluster/Sharding"
import * as Rpc from "@effect/rpc/Rpc"
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { Actor as ActorName } from "../../domain/Actor.js"
import type { Placement } from "../../domain/Placement.js"
import { Cursor, SessionId } from "../../domain/Session.js"
import { SessionEvent } from "../../domain/SessionEvent.js"
import * as Actor from "../../services/Actor.js"
import type { Service } from "../../services/gateway/Gateway.js"
import { operations } from "../../services/gateway/Operations.js"
import type * as LiveRuns from "../../services/runtime/LiveRuns.js"
import * as LiveText from "./LiveText.js"

/** An operation as a message: its input, and who asks. */
const message = <P, IP, A, IA, E, IE>({
  error,
  name,
  payload,
  success
}: {
  readonly name: string
  readonly payload: Schema.Schema<P, IP>
  readonly success: Schema.Schema<A, IA>
  readonly error: Schema.Schema<E, IE>
}) => ({ name, options: { payload: { actor: Schema.NullOr(ActorName), input: payload }, success, error } })

const send = message(operations.send)
const resume = message(operations.resume)
const append = message(operations.append)
const answer = message(operations.answer)
const cancel = message(operations.cancel)

/** What is told about a run of this process, see `Mirroring`. */
const Told = Schema.Union(Schema.Literal("here", "beat"), SessionEvent)

/** The shard group of sessions without a placement. */
export const anywhere = "default"

const groups = new Map<Placement, string>()

/** Returns the shard group of a placement. The table of locks has no room for a long name. */
const groupOf = (placement: Placement): string => {
  const known = groups.get(placement)
  if (known !== undefined) return known
  const group = `at-${createHash("sha256").update(placement).digest("hex").slice(0, 16)}`
  groups.set(placement, group)
  return group
}

/** Returns the shard groups of a runner that serves these placements. */
export const groupsOf = (placements: ReadonlyArray<Placement>): ReadonlyArray<string> => [
  anywhere,
  ...placements.map(groupOf)
]

/**
 * Returns the id of a session's entity. Any engine that serves the placement may do what is asked; another `way` leads
 * to another shard, and so usually to another runner.
 */
export const entityIdOf = (sessionId: SessionId, placement: Placement | null, way = 0): string =>
  `${placement ?? ""}/${sessionId}${way === 0 ? "" : `/${way}`}`

const groupOfEntity = (entityId: string): string => {
  const placement = entityId.slice(0, entityId.indexOf("/"))
  return placement === "" ? anywhere : groupOf(placement)
}

export const Session = Entity.make("Session", [
  Rpc.make("send", send.options),
  Rpc.make("resume", resume.options),
  Rpc.make("append", append.options),
  Rpc.make("answer", answer.options),
  Rpc.make("cancel", cancel.options),
  Rpc.make("live", {
    payload: { sessionId: SessionId, after: Cursor, patient: Schema.Boolean },
    success: Told,
    stream: true
  })
]).annotate(ClusterSchema.ShardGroup, groupOfEntity)

export type Client = Effect.Effect.Success<typeof Session.client>

/** A defect's text may contain anything, so others only learn its name. */
const nameOf = (defect: unknown): string => (defect instanceof Error ? defect.name : typeof defect)

const asked =
  (actor: ActorName | null) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    effect.pipe(
      Actor.as(actor),
      Effect.catchAllDefect((defect) => Effect.die(nameOf(defect)))
    )

/** Registers the entity with this runner; the Gateway of this process does what the entity is asked. */
export const layer = (local: Service, live: LiveRuns.Service) =>
  Session.toLayer(
    Session.of({
      send: ({ payload: { actor, input } }) => asked(actor)(local.send(input)),
      resume: ({ payload: { actor, input } }) => asked(actor)(local.resume(input.sessionId, input.of)),
      append: ({ payload: { actor, input } }) =>
        asked(actor)(local.append(input.sessionId, input.messages, input.idempotencyKey)),
      answer: ({ payload: { actor, input } }) => asked(actor)(local.answer(input)),
      cancel: ({ payload: { actor, input } }) => asked(actor)(local.cancel(input.runId)),
      live: ({ payload: { after, patient, sessionId } }) => LiveText.make(local, live)(sessionId, after, patient)
    }),
    { concurrency: "unbounded", disableFatalDefects: true }
  )

/** Whether this runner holds the shard of a session. */
export const isHere =
  (sharding: Sharding.Sharding["Type"]) =>
  (sessionId: SessionId, placement: Placement | null): boolean => {
    const entityId = entityIdOf(sessionId, placement)
    return sharding.hasShardId(sharding.getShardId(EntityId.make(entityId), groupOfEntity(entityId)))
  }
