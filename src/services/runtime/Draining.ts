/**
 * Closes an engine in order: its runs are drained while everything that they need still works, signs of life included.
 * So this layer is built after all others of the engine, and closed before them.
 */
import { Effect, Layer } from "effect"
import { Drivers } from "./Drivers.js"

export const layer: Layer.Layer<never, never, Drivers> = Layer.scopedDiscard(
  Effect.flatMap(Drivers, ({ drain }) => Effect.addFinalizer(() => drain))
)
