/** What sets one vendor's models apart from another's, once the AI SDK has made them all a `LanguageModelV3`. */
import type { LanguageModelV3, LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { isJSONObject } from "@ai-sdk/provider"
import { Duration, Redacted } from "effect"
import type { ProviderMetadata } from "../../domain/Message.js"
import * as ModelRef from "../../domain/ModelRef.js"
import * as OutputBudget from "../../domain/OutputBudget.js"
import type { View } from "../../domain/View.js"
import type { CallAccount } from "./CallAccount.js"
import type { Subject } from "./Failure.js"
import type { Dialect } from "./Reading.js"

/** What a host may say of any model. */
export interface Settings {
  /** Tokens that fit into one request. Defaults to what is known of the model, else to null. */
  readonly contextTokens?: number
  /** Most tokens that one step may write when the session does not say. Defaults to 8,192; half of the context at most. */
  readonly maxOutputTokens?: number
  /** How long a provider may send nothing before the step fails as `silent`. Defaults to two minutes. */
  readonly idleTimeout?: Duration.DurationInput
  /** How long one step may take in all. Defaults to an hour; what takes longer fails as `cut`. */
  readonly stepTimeout?: Duration.DurationInput
}

/** What a host may say of a server. */
export interface ServerSettings extends Settings {
  /** Where the API is, its version included. Defaults to the vendor's own; no environment variable is read. */
  readonly baseUrl?: string
  /** Sent with each request; a value that is a secret may be redacted. */
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>>
}

export interface Vendor extends Dialect {
  readonly provider: string
  readonly model: string
  readonly contextTokens: number | null
  readonly maxOutputTokens: number
  readonly idleTimeout: Duration.Duration
  readonly stepTimeout: Duration.Duration
  /** Loads the vendor's package and makes the model. */
  readonly load: () => Promise<LanguageModelV3>
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  readonly providerOptions: (options: ModelRef.Options, view: View) => SharedV3ProviderOptions
  /** Fewest tokens that a step can be limited to. */
  readonly leastOutputTokens: number
  /** Whether a turn that the vendor refused may go back to it. */
  readonly takesRefusedTurns: boolean
  /** Whether the vendor takes a text at which the model is to stop. */
  readonly takesStop: (text: string) => boolean
  /** Tokens that the model may think besides those that it may write, where the vendor counts them apart. */
  readonly thinkingTokens: (options: ModelRef.Options) => number
  /** What a part came with, as it goes back. */
  readonly partOptions: (metadata: ProviderMetadata) => SharedV3ProviderOptions
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
  maxOutputTokens: settings.maxOutputTokens ?? OutputBudget.standard,
  idleTimeout: Duration.decode(settings.idleTimeout ?? "2 minutes"),
  stepTimeout: Duration.decode(settings.stepTimeout ?? "1 hour"),
  secrets: [],
  providerOptions: () => ({}),
  leastOutputTokens: 1,
  takesStop: () => true,
  thinkingTokens: () => 0,
  partOptions: jsonObjects,
  takesRefusedTurns: true,
  mayIgnore: () => false,
  finishReason: ({ unified }) => unified,
  pieces: new Set(),
  account: null,
  finishPrompt: (prompt) => prompt,
  strictTools: null,
  ...vendor
})

/** Most tokens that a step may write and think. */
export const outputTokens = (vendor: Vendor, options: ModelRef.Options): number =>
  OutputBudget.within(
    Math.max(options.maxOutputTokens ?? vendor.maxOutputTokens, vendor.leastOutputTokens) +
      vendor.thinkingTokens(options),
    vendor.contextTokens
  )

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

/** What a header can carry. */
const isHeaderValue = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/u.test(text)

/** What keeps a key or a header from being sent; null for nothing. It tells nothing of the value. */
export const headerFault = (value: Redacted.Redacted): string | null =>
  isHeaderValue(Redacted.value(value)) ? null : "it holds a line end or another character that no header can carry"

/** Bytes of an answer's body: of a stream, and of anything else. */
const longestStream = 256 * 1024 * 1024
const longestBody = 1024 * 1024

/** Follows no redirect, as another host would be sent the key. Reads no more of a body than any true answer has. */
export const fetchHere: typeof globalThis.fetch = async (input, init) => {
  const response = await globalThis.fetch(input, { ...init, redirect: "manual" })
  const { body, headers, status, statusText } = response
  if (body === null) return response
  const isStream = response.ok && (headers.get("content-type") ?? "").startsWith("text/event-stream")
  return new Response(body.pipeThrough(bounded(isStream ? longestStream : longestBody)), {
    headers,
    status,
    statusText
  })
}

/** Ends as an answer that was cut once there is more than `most` bytes. */
const bounded = (most: number): TransformStream<Uint8Array, Uint8Array> => {
  let size = 0
  return new TransformStream({
    transform: (chunk, controller) => {
      size += chunk.length
      if (size > most) controller.error(new TypeError(`the body has more than ${most} bytes`))
      else controller.enqueue(chunk)
    }
  })
}
