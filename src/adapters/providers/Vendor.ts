/** What sets one vendor's models apart from another's, once the AI SDK has made them all a `LanguageModelV3`. */
import type { LanguageModelV3, LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { isJSONObject } from "@ai-sdk/provider"
import { Duration, Redacted } from "effect"
import type { ProviderMetadata } from "../../domain/Message.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { CallAccount } from "./CallAccount.js"
import type { Subject } from "./Failure.js"

/** What a host may say of any model. */
export interface Settings {
  /** Tokens that fit into one request. Defaults to what is known of the model, else to null. */
  readonly contextTokens?: number
  /** Most tokens that one step may write when the session does not say. Defaults to 8,192. */
  readonly maxOutputTokens?: number
  /** How long a provider may send nothing before the step fails as `silent`. Defaults to two minutes. */
  readonly idleTimeout?: Duration.DurationInput
}

/** What a host may say of a server. */
export interface ServerSettings extends Settings {
  /** Where the API is, its version included. Defaults to the vendor's own; no environment variable is read. */
  readonly baseUrl?: string
  /** Sent with each request; a value that is a secret may be redacted. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>>
}

export interface Vendor {
  readonly provider: string
  readonly model: string
  readonly contextTokens: number | null
  readonly maxOutputTokens: number
  readonly idleTimeout: Duration.Duration
  /** Loads the vendor's package and makes the model. */
  readonly load: () => Promise<LanguageModelV3>
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  readonly providerOptions: (options: ModelRef.Options) => SharedV3ProviderOptions
  /** What a part came with, as it goes back. */
  readonly partOptions: (metadata: ProviderMetadata) => SharedV3ProviderOptions
  /** Whether a frame that does not decode may be passed over. */
  readonly mayIgnore: (frame: unknown) => boolean
  /** Counts the calls of an answer by its frames, for an SDK that may lose some; null for one that does not. */
  readonly account: CallAccount | null
  readonly finishPrompt: (prompt: LanguageModelV3Prompt) => LanguageModelV3Prompt
  /** Whether tool inputs must follow their schema to the letter; null leaves it to the vendor. */
  readonly strictTools: boolean | null
}

export const subject = (vendor: Vendor): Subject => ({ model: ModelRef.toText(vendor), secrets: vendor.secrets })

export const make = (
  name: { readonly provider: string; readonly model: string },
  settings: Settings,
  vendor: Pick<Vendor, "load"> & Partial<Vendor>
): Vendor => ({
  ...name,
  contextTokens: settings.contextTokens ?? null,
  maxOutputTokens: settings.maxOutputTokens ?? 8192,
  idleTimeout: Duration.decode(settings.idleTimeout ?? "2 minutes"),
  secrets: [],
  providerOptions: () => ({}),
  partOptions: jsonObjects,
  mayIgnore: () => false,
  account: null,
  finishPrompt: (prompt) => prompt,
  strictTools: null,
  ...vendor
})

const jsonObjects = (metadata: ProviderMetadata): SharedV3ProviderOptions =>
  Object.fromEntries(
    Object.entries(metadata).flatMap(([vendor, value]) => (isJSONObject(value) ? [[vendor, value]] : []))
  )

/** The headers in clear, for the request only. */
export const plainHeaders = (headers: ServerSettings["headers"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => [
      name,
      typeof value === "string" ? value : Redacted.value(value)
    ])
  )

/** Header values often are keys, whether they were redacted or not. */
export const headerSecrets = (headers: ServerSettings["headers"]): ReadonlyArray<Redacted.Redacted> =>
  Object.values(headers ?? {}).map((value) => (typeof value === "string" ? Redacted.make(value) : value))

/** Follows no redirect: another host would be sent the key. */
export const fetchHere: typeof globalThis.fetch = (input, init) =>
  globalThis.fetch(input, { ...init, redirect: "manual" })
