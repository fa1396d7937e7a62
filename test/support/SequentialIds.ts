/**
 * Ids that count up from 1, for tests whose results must be the same each time. Each build of the layer starts at 1.
 */
import { Effect, Layer, Ref } from "effect"
import * as Ids from "../../src/services/Ids.js"

export const layer: Layer.Layer<Ids.Ids> = Layer.effect(
  Ids.Ids,
  Effect.map(Ref.make(0n), (last) => ({
    next: (prefix: Ids.Prefix) =>
      Effect.map(
        Ref.updateAndGet(last, (number) => number + 1n),
        (number) => Ids.format(prefix, number)
      )
  }))
)
