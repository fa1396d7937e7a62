/**
 * What hosts set for a model and its server. Kept apart from the rest, so that the types of `skein/anthropic` and
 * `skein/openai` do not lead to the AI SDK's. Those do not compile without `skipLibCheck`, because a package with types
 * is missing there.
 */
import type { Duration, Redacted } from "effect"

/** Settings of any model. */
export interface Settings {
  /** Tokens that fit into one request. Defaults to the known size of the model, else to null. */
  readonly contextTokens?: number
  /** Most tokens a step may write, if the session sets no limit. Defaults to 8,192; at most half of the context. */
  readonly maxOutputTokens?: number
  /** The step fails as `silent` when the provider sends nothing for this long. Defaults to two minutes. */
  readonly idleTimeout?: Duration.DurationInput
  /** The step fails as `cut` when it takes longer than this. Defaults to an hour. */
  readonly stepTimeout?: Duration.DurationInput
}

/** Settings of a server. */
export interface ServerSettings extends Settings {
  /** URL of the API with its version. Defaults to the vendor's own; no environment variable is read. */
  readonly baseUrl?: string
  /** Sent with each request. Secret values may be `Redacted`. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>>
}
