/**
 * The models that a provider says it has, for a person who named one that it does not have. It is asked only then, and
 * only once.
 *
 * Guaranteed: the key goes to the provider's own server and nowhere else (no redirect is followed), the answer's size and
 * time are bounded, and no failure is reported: without a list there is less to say.
 */
import { Effect, Schema } from "effect"
import type { ModelRef } from "../../domain/ModelRef.js"
import type { ProvidersConfig } from "../providers/Providers.js"

type Providers = ProvidersConfig["providers"]
type Variables = { readonly [name: string]: string | undefined }

const timeoutMillis = 5_000
const mostBytes = 1_000_000

const builtIn: Providers = { anthropic: { kind: "anthropic" }, openai: { kind: "openai" } }
const servers = {
  anthropic: { url: "https://api.anthropic.com/v1", key: "ANTHROPIC_API_KEY" },
  openai: { url: "https://api.openai.com/v1", key: "OPENAI_API_KEY" }
}

const List = Schema.parseJson(Schema.Struct({ data: Schema.Array(Schema.Struct({ id: Schema.String })) }))

const requestOf = (name: string, providers: Providers, env: Variables) => {
  const entry = providers[name] ?? builtIn[name]
  if (entry === undefined) return null
  const server = entry.kind === "chat-completions" || entry.baseUrl !== undefined ? null : servers[entry.kind]
  const url = entry.baseUrl ?? server?.url
  if (url === undefined) return null
  const variable = entry.apiKey?.env ?? server?.key
  const key = variable === undefined ? undefined : env[variable]
  const headers = new Headers()
  for (const [header, value] of Object.entries(entry.headers ?? {})) {
    const text = typeof value === "string" ? value : env[value.env]
    if (text !== undefined) headers.set(header, text)
  }
  if (entry.kind === "anthropic") headers.set("anthropic-version", "2023-06-01")
  if (key !== undefined && entry.kind === "anthropic") headers.set("x-api-key", key)
  if (key !== undefined && entry.kind !== "anthropic") headers.set("authorization", `Bearer ${key}`)
  return { url: `${url.replace(/\/$/, "")}/models`, headers }
}

const fetchText = async (url: string, headers: Headers, signal: AbortSignal): Promise<string | null> => {
  const response = await fetch(url, { headers, redirect: "error", signal })
  if (!response.ok || response.body === null) return null
  const decoder = new TextDecoder()
  const body: AsyncIterable<Uint8Array> = response.body
  let text = ""
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > mostBytes) return null
  }
  return text
}

/** Letters that two names have in common at their beginnings. */
const common = (one: string, other: string): number => {
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  return at
}

/** Names of models, the likeliest first. Null when the provider does not say. */
export const ask = (
  { model, provider }: ModelRef,
  providers: Providers,
  env: Variables
): Effect.Effect<ReadonlyArray<string> | null> =>
  Effect.gen(function* () {
    const request = requestOf(provider, providers, env)
    if (request === null) return null
    const { headers, url } = request
    const text = yield* Effect.tryPromise((signal) => fetchText(url, headers, signal))
    if (text === null) return null
    const { data } = yield* Schema.decodeUnknown(List)(text)
    return data
      .map(({ id }) => id)
      .sort((one, other) => common(other, model) - common(one, model) || (one < other ? -1 : 1))
  }).pipe(
    Effect.timeout(timeoutMillis),
    Effect.orElseSucceed(() => null)
  )
