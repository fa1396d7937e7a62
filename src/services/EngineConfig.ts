/** The settings of an engine. Each has a default that is right for most hosts, and a range that it must be in. */
import { Context, Effect, Layer, Schema } from "effect"
import * as Limits from "../domain/Limits.js"
import { Placement } from "../domain/Placement.js"
import { present } from "../domain/Present.js"
import * as Refusal from "../domain/Refusal.js"
import type { InvalidInput } from "../domain/SkeinError.js"

/** A whole number in a range. */
const between = (least: number, most: number) =>
  Schema.Int.pipe(Schema.between(least, most, { description: `a whole number from ${least} to ${most}` }))

/** A whole number without an upper end. */
const from = (least: number) =>
  Schema.Int.pipe(Schema.between(least, Number.MAX_SAFE_INTEGER, { description: `a whole number from ${least}` }))

const day = 24 * 60 * 60 * 1000

/** Every setting of an engine, with its unit, range and default. */
export const Settings = Schema.Struct({
  limits: Limits.Limits,
  /** Ends a run once the model has asked for the same calls in this many steps in a row. Defaults to 3. */
  repeatLimit: from(2),
  /** Calls of one batch that run in parallel. Defaults to "unbounded". */
  toolConcurrency: Schema.Union(from(1), Schema.Literal("unbounded")).annotations({
    description: `a whole number from 1, or "unbounded"`
  }),
  /** Milliseconds that a call may take, unless its tool has a limit of its own. Defaults to ten minutes. */
  toolTimeoutMillis: between(1, 30 * day),
  /** Attempts at one model step, the first included. Defaults to 4. */
  modelAttempts: between(1, 1_000),
  /**
   * Longest wait between two attempts at a step, in milliseconds, whatever the provider asks for. Defaults to 30,000.
   */
  modelRetryMaxMillis: between(0, day),
  /** Milliseconds that a write waits for another process's lock before it fails with `StorageBusy`. Defaults to 30,000. */
  busyMaxMillis: between(0, day),
  /**
   * Milliseconds without a sign of life after which an engine has lost the leases of its runs; it gives three signs in
   * that time. Nobody waits for an engine that is proven dead. Defaults to 15,000.
   */
  leaseMillis: between(100, day),
  /**
   * Milliseconds that live runs have to end when the engine is closed; meanwhile no run begins. Then they are released,
   * for another engine to go on with. Runs that only wait for a human are released immediately. Defaults to 10,000.
   */
  drainMillis: between(0, day),
  /**
   * What becomes of a run whose engine died: `end` ends it as `crashed`, `continue` goes on with it from its transcript,
   * up to three times without progress. Defaults to `end`.
   */
  recovery: Schema.Literal("end", "continue"),
  /**
   * Milliseconds within which an engine goes on with a run that was released or crashed. After that the run waits for a
   * person: `resume` goes on with it, a new message ends it. Defaults to ten minutes.
   */
  continueWithinMillis: between(0, 365 * day),
  /**
   * Milliseconds between two searches for sessions that other engines left behind; the first search is immediate. Null
   * never searches: such sessions are claimed when a client changes them, or by `Gateway.recover`. Defaults to null; to
   * 1,000 in the presets for long-lived hosts.
   */
  recoverMillis: Schema.NullOr(between(100, day)).annotations({
    description: "a whole number from 100 to 86400000, or null"
  }),
  /** The most runs that this engine drives when it takes up runs that others left behind. Defaults to 100. */
  recoverRuns: from(1),
  /**
   * The placements whose sessions this engine runs, besides sessions without a placement. Defaults to none, and to the
   * host's name in the presets of `skein/node`.
   */
  placements: Schema.Array(Placement),
  /** `FULL` survives a power cut; `NORMAL` is faster, but a power cut may lose the last commits. Defaults to `FULL`. */
  synchronous: Schema.Literal("FULL", "NORMAL"),
  /** Days for which a session's events are kept. Its messages are not affected. Defaults to 30. */
  eventDays: Schema.Number.pipe(Schema.between(0, 36_500, { description: "a number of days from 0 to 36500" })),
  /** How many of a session's newest events are kept. Defaults to 100,000. */
  eventsKept: from(1),
  /**
   * Whether spans carry the texts of messages, of tools' inputs and results, and of errors. Defaults to false: then a span
   * that fails has only the error's name, code or status.
   */
  traceContent: Schema.Boolean
})
/** All settings of an engine. */
export type Service = typeof Settings.Type

/** The values of settings that a host leaves out. */
export const defaults: Service = {
  limits: Limits.defaults,
  repeatLimit: 3,
  toolConcurrency: "unbounded",
  toolTimeoutMillis: 600_000,
  modelAttempts: 4,
  modelRetryMaxMillis: 30_000,
  busyMaxMillis: 30_000,
  leaseMillis: 15_000,
  drainMillis: 10_000,
  recovery: "end",
  continueWithinMillis: 600_000,
  recoverMillis: null,
  recoverRuns: 100,
  placements: [],
  synchronous: "FULL",
  eventDays: 30,
  eventsKept: 100_000,
  traceContent: false
}

/** The settings of an engine, as a service. Without it the defaults apply. */
export class EngineConfig extends Context.Reference<EngineConfig>()("skein/EngineConfig", {
  defaultValue: (): Service => defaults
}) {}

/** The same fields, each of which may be left out or undefined. */
type Some<A> = { readonly [K in keyof A]?: A[K] | undefined }

/** What a host may set; all else keeps its default. */
export interface Options extends Some<Omit<Service, "limits">> {
  readonly limits?: Some<Limits.Limits> | undefined
}

const decode = Refusal.decoder(Schema.typeSchema(Settings))

/** Overrides some of the defaults. Fails with `InvalidInput`, naming the setting, when one is out of its range. */
export const layer = (options: Options): Layer.Layer<EngineConfig, InvalidInput> =>
  Layer.effect(
    EngineConfig,
    Effect.suspend(() =>
      decode({ ...defaults, ...present(options), limits: { ...Limits.defaults, ...present(options.limits ?? {}) } })
    )
  )
