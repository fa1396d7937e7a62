/** The settings of a cluster, as hosts pass them, with their ranges and defaults. */
import { Effect, type Redacted, Schema } from "effect"
import { present } from "../../domain/Present.js"
import * as Refusal from "../../domain/Refusal.js"

const day = 24 * 60 * 60 * 1000

const between = (least: number, most: number) =>
  Schema.Int.pipe(Schema.between(least, most, { description: `a whole number from ${least} to ${most}` }))

/** How the members of a cluster find and reach each other. */
const Cluster = Schema.Struct({
  shards: between(1, 10_000),
  shardLockMillis: between(1_000, day),
  assignMillis: between(100, day),
  healthMillis: between(100, day),
  reachMillis: between(1, day),
  giveUpMillis: between(1, day)
})

const Address = Schema.Struct({
  // The cluster library puts it into its SQL statements.
  host: Schema.String.pipe(
    Schema.pattern(/^[A-Za-z0-9.:_-]{1,200}$/, { description: "a host's name or IP address, of 1 to 200 characters" })
  ),
  port: between(1, 65_535)
})
export type Address = typeof Address.Type

/** The cluster settings that a host may pass. */
export interface Asked {
  /**
   * The number of shards that sessions are divided into. It must be the same for all members of a cluster; a member
   * with another number is refused. It can change only once all runners are down. Defaults to 300.
   */
  readonly shards?: number | undefined
  /** Milliseconds after which a runner that no longer refreshes its shards' locks has lost them. Defaults to 15,000. */
  readonly shardLockMillis?: number | undefined
  /** Milliseconds between two checks of who the runners are. Defaults to 3,000. */
  readonly assignMillis?: number | undefined
  /** Milliseconds between two checks of whether the runners answer. Defaults to 10,000. */
  readonly healthMillis?: number | undefined
  /** Milliseconds without an answer after which another engine is asked as well. Defaults to 2,000. */
  readonly reachMillis?: number | undefined
  /** Milliseconds without any answer after which an operation fails. Defaults to 30,000. */
  readonly giveUpMillis?: number | undefined
}

const defaults: typeof Cluster.Type = {
  shards: 300,
  shardLockMillis: 15_000,
  assignMillis: 3_000,
  healthMillis: 10_000,
  reachMillis: 2_000,
  giveUpMillis: 30_000
}

export type Settings = typeof Cluster.Type & { readonly url: Redacted.Redacted; readonly schema: string }

const decode = Refusal.decoder(Schema.typeSchema(Cluster))
const decodeAddress = Refusal.decoder(Address, "address")
const decodeListen = Refusal.decoder(Address, "listen")

/** Returns the complete settings. Fails with `InvalidInput` if one is out of range. */
export const checked = (asked: Asked) => Effect.suspend(() => decode({ ...defaults, ...present(asked) }))

/** Returns where a runner is reached, and where it listens, which is the same address unless another is given. */
export const places = (address: Address, listen: Address | undefined) =>
  Effect.gen(function* () {
    const own = yield* decodeAddress(address)
    return { address: own, listen: listen === undefined ? own : yield* decodeListen(listen) }
  })
