/**
 * Closes an engine in order: its runs are drained while everything that they need still works, signs of life included.
 * So this layer is built after all others of the engine, and closed before them.
 *
 * With `Leaving`, a host can have its engine drain before it closes it: a server then refuses messages, but still shows
 * how its runs end.
 */
import { Context, Effect, Layer } from "effect"
import { Drivers } from "./Drivers.js"

/** When an engine should drain before its layer is closed. It begins no run after that. */
export class Leaving extends Context.Reference<Leaving>()("skein/Leaving", {
  defaultValue: (): {
    /** Returns when the engine should drain. */
    readonly wanted: Effect.Effect<void>
    /** Is run once the engine drives no run any more. */
    readonly drained: Effect.Effect<void>
  } => ({ wanted: Effect.never, drained: Effect.void })
}) {}

export const layer: Layer.Layer<never, never, Drivers> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { drain } = yield* Drivers
    const { drained, wanted } = yield* Leaving
    yield* Effect.addFinalizer(() => drain)
    yield* Effect.forkScoped(wanted.pipe(Effect.zipRight(drain), Effect.zipRight(drained)))
  })
)
