/** The identity of this engine among all engines that share a database, and what can be proven about the others. */
import { Context } from "effect"
import type { Effect } from "effect"
import type { EngineId, Sign } from "../domain/Lease.js"
import type { Liveness } from "../domain/Liveness.js"

export interface Service {
  readonly self: EngineId
  /** The time on the host's monotonic clock, which nobody can set and all processes of the host share. */
  readonly sign: Effect.Effect<Sign>
  /**
   * Milliseconds on a clock of this engine's own, which nobody can set. It keeps running while the process is stopped
   * and while its host sleeps.
   */
  readonly elapsed: () => number
  /** See `Liveness.liveness`: only a proof makes an engine dead. */
  readonly liveness: (engine: EngineId) => Effect.Effect<Liveness>
}

export class Engines extends Context.Tag("skein/Engines")<Engines, Service>() {}
