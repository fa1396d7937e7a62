/** Sends traces and metrics to a collector, if the environment names one. The sending code is loaded only then. */
import { Effect, Layer } from "effect"
import type { InvalidInput } from "../../../domain/SkeinError.js"
import * as Settings from "./Settings.js"

/** Fails with `InvalidInput`, which names the variable, if a variable cannot be understood. */
export const layer = (env: Readonly<Record<string, string | undefined>>): Layer.Layer<never, InvalidInput> =>
  Layer.unwrapEffect(
    Effect.flatMap(Settings.read(env), (settings) =>
      settings === null
        ? Effect.succeed(Layer.empty)
        : Effect.map(
            Effect.promise(() => import("./Otlp.js")),
            (otlp) => otlp.layer(settings)
          )
    )
  )
