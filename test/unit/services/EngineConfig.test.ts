import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EngineConfig } from "skein"

const build = (options: EngineConfig.Options) => Effect.scoped(Layer.build(EngineConfig.layer(options)))

/** Settings with values that would make an engine hang or misbehave. */
const refused: ReadonlyArray<readonly [field: string, options: ReadonlyArray<EngineConfig.Options>]> = [
  ["toolConcurrency", [0, -1, 1.5, NaN, Infinity].map((toolConcurrency) => ({ toolConcurrency }))],
  ["toolTimeoutMillis", [0, -1, NaN, Infinity].map((toolTimeoutMillis) => ({ toolTimeoutMillis }))],
  ["repeatLimit", [0, 1, NaN].map((repeatLimit) => ({ repeatLimit }))],
  ["modelAttempts", [0, -1, NaN, Infinity].map((modelAttempts) => ({ modelAttempts }))],
  ["modelRetryMaxMillis", [-1, NaN, Infinity].map((modelRetryMaxMillis) => ({ modelRetryMaxMillis }))],
  ["busyMaxMillis", [-1, NaN, Infinity].map((busyMaxMillis) => ({ busyMaxMillis }))],
  ["leaseMillis", [0, 99, -1, NaN, Infinity].map((leaseMillis) => ({ leaseMillis }))],
  ["eventDays", [-1, NaN, Infinity].map((eventDays) => ({ eventDays }))],
  ["eventsKept", [0, -1, NaN].map((eventsKept) => ({ eventsKept }))],
  ["limits.titleCharacters", [0, NaN].map((titleCharacters) => ({ limits: { titleCharacters } }))],
  ["limits.messageBytes", [0, -1, NaN].map((messageBytes) => ({ limits: { messageBytes } }))],
  ["limits.metadataBytes", [0, NaN].map((metadataBytes) => ({ limits: { metadataBytes } }))],
  ["limits.resultCharacters", [0, 0.5, NaN].map((resultCharacters) => ({ limits: { resultCharacters } }))],
  ["limits.assetBytes", [0, NaN].map((assetBytes) => ({ limits: { assetBytes } }))],
  ["limits.assetTypes.0", [{ limits: { assetTypes: [""] } }]]
]

describe("EngineConfig", () => {
  it.effect.each(refused)("P12 clear refusal: names %s when it is out of its range", ([field, options]) =>
    Effect.forEach(options, (one) =>
      Effect.map(Effect.flip(build(one)), (error) => expect(error).toMatchObject({ _tag: "InvalidInput", field }))
    )
  )

  it.effect("says what is allowed", () =>
    Effect.gen(function* () {
      const message = (options: EngineConfig.Options) =>
        Effect.map(Effect.flip(build(options)), (error) => error.message)
      expect(yield* message({ toolConcurrency: 0 })).toBe(
        `toolConcurrency: a whole number from 1, or "unbounded" (given: 0)`
      )
      expect(yield* message({ leaseMillis: 5 })).toBe("leaseMillis: a whole number from 100 to 86400000 (given: 5)")
    })
  )

  it.effect("has its defaults, except for what a host sets", () =>
    Effect.gen(function* () {
      expect(yield* EngineConfig.EngineConfig).toEqual(EngineConfig.defaults)
      const set = EngineConfig.layer({ repeatLimit: 7, limits: { titleCharacters: 20 } })
      const config = yield* Effect.provide(EngineConfig.EngineConfig, set)
      expect(config).toEqual({
        ...EngineConfig.defaults,
        repeatLimit: 7,
        limits: { ...EngineConfig.defaults.limits, titleCharacters: 20 }
      })
    })
  )
})
