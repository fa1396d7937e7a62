/** How an engine is set up. Every field has a default that is right for most hosts. */
import { Context, Layer } from "effect"
import * as Limits from "../domain/Limits.js"

export interface Service {
  readonly limits: Limits.Limits
  /** Model steps a run may take. Defaults to 200. */
  readonly stepLimit: number
  /** Ends a run once the model has asked for the same calls in this many steps in a row. Defaults to 3. */
  readonly repeatLimit: number
  /** Calls of one batch that run at once. Defaults to "unbounded". */
  readonly toolConcurrency: number | "unbounded"
  /** Milliseconds that a call may take, unless its tool has a limit of its own. Defaults to ten minutes. */
  readonly toolTimeoutMillis: number
  /** Tries of one model step, the first included. Defaults to 4. */
  readonly modelAttempts: number
  /** Longest wait between two tries of a model step, in milliseconds, whatever the provider asks for. Defaults to 30,000. */
  readonly modelRetryMaxMillis: number
  /** Milliseconds that a write waits for another process's lock before it fails with `StorageBusy`. Defaults to 30,000. */
  readonly busyMaxMillis: number
  /**
   * Milliseconds without a sign of life after which an engine has lost the leases of its runs; it gives three signs in
   * that time. An engine that is proven dead is not waited for. Defaults to 15,000.
   */
  readonly leaseMillis: number
  /** `FULL` survives a power cut; `NORMAL` is faster and may lose the last commits then. Defaults to `FULL`. */
  readonly synchronous: "FULL" | "NORMAL"
  /** Days for which a session's events are kept. What is kept of its messages does not depend on it. Defaults to 30. */
  readonly eventDays: number
  /** Events that are kept of a session, the newest ones. Defaults to 100,000. */
  readonly eventsKept: number
  /** Whether spans bear the texts of messages and of tools' inputs and results. Defaults to false. */
  readonly traceContent: boolean
  /** The system prompt of every model. Defaults to null: none. */
  readonly system: string | null
}

export const defaults: Service = {
  limits: Limits.defaults,
  stepLimit: 200,
  repeatLimit: 3,
  toolConcurrency: "unbounded",
  toolTimeoutMillis: 600_000,
  modelAttempts: 4,
  modelRetryMaxMillis: 30_000,
  busyMaxMillis: 30_000,
  leaseMillis: 15_000,
  synchronous: "FULL",
  eventDays: 30,
  eventsKept: 100_000,
  traceContent: false,
  system: null
}

export class EngineConfig extends Context.Reference<EngineConfig>()("skein/EngineConfig", {
  defaultValue: (): Service => defaults
}) {}

/** What a host may set; all else keeps its default. */
export interface Options extends Partial<Omit<Service, "limits">> {
  readonly limits?: Partial<Limits.Limits>
}

/** Overrides some of the defaults. */
export const layer = (options: Options): Layer.Layer<EngineConfig> =>
  Layer.succeed(EngineConfig, { ...defaults, ...options, limits: { ...Limits.defaults, ...options.limits } })
