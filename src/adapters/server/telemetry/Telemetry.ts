/**
 * Sends traces and metrics to a collector, if the environment names one. The sending code is loaded only then. Spans say
 * what failed, and not in which words, wherever they began.
 */
import { Effect, Layer } from "effect"
import type { InvalidInput } from "../../../domain/SkeinError.js"
import * as SpanEnds from "../../../services/SpanEnds.js"
import { codeOf } from "../../ErrorCode.js"
import * as Settings from "./Settings.js"

/** Receives what an operator should know. */
export interface Tell {
  /** These variables are set, and have no effect. */
  readonly unread: (names: ReadonlyArray<string>) => Effect.Effect<void>
  /** The collector on this host takes nothing. */
  readonly failed: (what: "traces" | "metrics", host: string, why: string) => Effect.Effect<void>
  readonly works: (what: "traces" | "metrics", host: string) => Effect.Effect<void>
}

/** Fails with `InvalidInput`, which names the variable, if a variable cannot be understood. */
export const layer = (
  env: Readonly<Record<string, string | undefined>>,
  { failed, unread, works }: Tell
): Layer.Layer<never, InvalidInput> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const settings = yield* Settings.read(env)
      if (settings === null) return Layer.empty
      if (settings.unread.length > 0) yield* unread(settings.unread)
      const otlp = yield* Effect.promise(() => import("./Otlp.js"))
      const told = (what: "traces" | "metrics", host: string, why: unknown) =>
        failed(what, host, typeof why === "number" ? `HTTP ${why}` : codeOf(why))
      return otlp.layer(settings, { failed: told, works }, SpanEnds.tracer)
    })
  )
