/** How vendors differ behind the AI SDK, which makes all of their models a `LanguageModelV3`. */
import type { LanguageModelV3, LanguageModelV3Prompt, SharedV3ProviderOptions } from "@ai-sdk/provider"
import { isJSONObject } from "@ai-sdk/provider"
import { Duration, Redacted } from "effect"
import * as JsonBounds from "../../domain/JsonBounds.js"
import type { ProviderMetadata } from "../../domain/Message.js"
import * as ModelRef from "../../domain/ModelRef.js"
import * as OutputBudget from "../../domain/OutputBudget.js"
import type { View } from "../../domain/View.js"
import type { CallAccount } from "./CallAccount.js"
import type { Subject } from "./Failure.js"
import * as EventBounds from "../EventBounds.js"
import * as NodeLimits from "../NodeLimits.js"
import type { Dialect } from "./Reading.js"
import type { ServerSettings, Settings } from "./Settings.js"

export type Fetch = typeof globalThis.fetch

export interface Vendor extends Dialect {
  readonly provider: string
  readonly model: string
  readonly contextTokens: number | null
  readonly maxOutputTokens: number
  readonly idleTimeout: Duration.Duration
  readonly stepTimeout: Duration.Duration
  /** Loads the vendor's package and makes the model of one step, which reaches its server through `fetch`. */
  readonly load: (fetch: Fetch) => Promise<LanguageModelV3>
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** Why no request can be made as the server's settings are; null if one can. Reveals nothing of their values. */
  readonly fault: string | null
  readonly providerOptions: (options: ModelRef.Options, view: View) => SharedV3ProviderOptions
  /** Smallest limit on tokens that the vendor accepts. */
  readonly leastOutputTokens: number
  /** Whether the vendor's package sends files in the results of tools. */
  readonly takesFilesInResults: boolean
  /** Whether the vendor's server holds the model to the JSON Schema of an answer. */
  readonly takesOutput: boolean
  /** The JSON Schema of an answer as the vendor takes it; null for a schema that it would refuse. */
  readonly outputSchema: (schema: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>> | null
  /** Whether a refused turn may be sent to the vendor again. */
  readonly takesRefusedTurns: boolean
  /** Whether the vendor accepts this stop text. */
  readonly takesStop: (text: string) => boolean
  /** Tokens for thinking in addition to the output, for vendors that count them separately. */
  readonly thinkingTokens: (options: ModelRef.Options) => number
  /** Translates a part's stored metadata into the options that go back with it. */
  readonly partOptions: (metadata: ProviderMetadata) => SharedV3ProviderOptions
  /** Counts the calls in the frames, for an SDK that may lose some; null for one that does not. */
  readonly account: CallAccount | null
  readonly finishPrompt: (prompt: LanguageModelV3Prompt) => LanguageModelV3Prompt
  /** Whether tool inputs must match their schema exactly; null leaves it to the vendor. */
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
  fault: null,
  providerOptions: () => ({}),
  leastOutputTokens: 1,
  takesStop: () => true,
  thinkingTokens: () => 0,
  partOptions: jsonObjects,
  takesFilesInResults: false,
  takesOutput: false,
  outputSchema: (schema) => schema,
  takesRefusedTurns: true,
  mayIgnore: () => false,
  finishReason: ({ unified }) => unified,
  pieces: new Set(),
  itemOf: () => null,
  account: null,
  finishPrompt: (prompt) => prompt,
  strictTools: null,
  ...vendor
})

/** Most tokens that a step may write and think in total. */
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

/** The headers in plain text, for the request only. */
export const plainHeaders = (headers: ServerSettings["headers"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => [
      name,
      typeof value === "string" ? value : Redacted.value(value)
    ])
  )

/** Header values are often keys, even if they are not `Redacted`. */
export const headerSecrets = (headers: ServerSettings["headers"]): ReadonlyArray<Redacted.Redacted> =>
  Object.values(headers ?? {}).map((value) => (typeof value === "string" ? Redacted.make(value) : value))

/** Whether a header can carry the text. */
const isHeaderValue = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/u.test(text)

/** Why a key or a header cannot be sent; null if it can. Reveals nothing of the value. */
export const headerFault = (value: Redacted.Redacted): string | null =>
  isHeaderValue(Redacted.value(value))
    ? null
    : "it contains a line break or another character that a header cannot carry"

/** What a base URL must be. */
export const baseUrlForm = "must be an http or https URL without user name and password"

export const isBaseUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { password, protocol, username } = new URL(text)
  return (protocol === "http:" || protocol === "https:") && username === "" && password === ""
}

const isHeaderName = (text: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/u.test(text)

/** The fault of a server's settings, except for the values of its headers. */
export const serverFault = ({ baseUrl, headers }: ServerSettings): string | null => {
  if (baseUrl !== undefined && !isBaseUrl(baseUrl)) return `its base URL ${baseUrlForm}`
  return Object.keys(headers ?? {}).every(isHeaderName)
    ? null
    : "the name of one of its headers has a blank or another character that such a name cannot have"
}

/** Most bytes of a response body: of a stream, and of any other response. */
const longestStream = 256 * 1024 * 1024
const longestBody = 1024 * 1024

/** What one event of a stream may have in it, and any other body. */
const most: JsonBounds.JsonBounds = { values: JsonBounds.messageValues, depth: 200 }

/**
 * A fetch that follows no redirect, because that would send the key to another host. Bounds the size of the body and what
 * is in it, and calls `onBytes` whenever some of it arrive.
 */
export const fetchHere =
  (onBytes: () => void): Fetch =>
  async (input, init) => {
    const response = await globalThis.fetch(input, NodeLimits.lifted({ ...init, redirect: "manual" }))
    const { body, headers, status, statusText } = response
    if (body === null) return response
    const isStream = response.ok && (headers.get("content-type") ?? "").startsWith("text/event-stream")
    const checked = isStream
      ? bounded(longestStream, EventBounds.comparing(most), onBytes)
      : bounded(longestBody, JsonBounds.comparing(most), onBytes)
    return new Response(body.pipeThrough(checked), { headers, status, statusText })
  }

/** Fails after so many bytes, or when there is too much in them, as if the answer had been cut. */
const bounded = (
  longest: number,
  { take }: JsonBounds.Comparison,
  onBytes: () => void
): TransformStream<Uint8Array, Uint8Array> => {
  let size = 0
  return new TransformStream({
    transform: (chunk, controller) => {
      onBytes()
      size += chunk.length
      const excess = size > longest ? `more than ${longest} bytes` : take(chunk)
      if (excess === null) controller.enqueue(chunk)
      else controller.error(new TypeError(`too much in the answer: ${excess}`))
    }
  })
}
