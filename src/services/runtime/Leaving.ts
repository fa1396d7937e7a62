/** When an engine should drain before its layer is closed, and whom it tells. It begins no run after that. */
import { Context, Effect } from "effect"
import type { StorageUnusable } from "../../domain/SkeinError.js"

export interface Leave {
  /** Returns when the engine should drain. */
  readonly wanted: Effect.Effect<void>
  /** Is run once the engine drives no run any more. */
  readonly drained: Effect.Effect<void>
  /** Is run once the engine is outdated: nothing can be done with it any more. */
  readonly outdated: (refusal: StorageUnusable) => Effect.Effect<void>
}

/** For an engine that leaves only when it is closed. */
export const unasked: Leave = { wanted: Effect.never, drained: Effect.void, outdated: () => Effect.void }

export class Leaving extends Context.Reference<Leaving>()("skein/Leaving", {
  defaultValue: () => unasked
}) {}
