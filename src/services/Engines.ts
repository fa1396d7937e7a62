/** Who this engine is among all that share a database, and what can be proven of the others. */
import { Context } from "effect"
import type { Effect } from "effect"
import type { Liveness, Owner, Sign } from "../domain/Lease.js"

export interface Service {
  readonly self: Owner
  /** The time on the host's monotonic clock, which nobody can set and all processes of the host share. */
  readonly sign: Effect.Effect<Sign>
  /** See `Lease.liveness`: only a proof makes an owner dead. */
  readonly liveness: (owner: Owner) => Effect.Effect<Liveness>
}

export class Owners extends Context.Tag("skein/Owners")<Owners, Service>() {}
