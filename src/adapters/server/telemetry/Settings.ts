/**
 * Where traces and metrics are sent, by the standard variables of OpenTelemetry. Pure: the environment is passed in. An
 * empty variable counts as absent.
 *
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_PROTOCOL` (http/protobuf or http/json) and `…_TIMEOUT`, each also for one
 * signal, as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` (otlp or none),
 * `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_SDK_DISABLED`. All others are
 * unread.
 */
import { Effect } from "effect"
import { InvalidInput } from "../../../domain/SkeinError.js"

type Environment = Readonly<Record<string, string | undefined>>

/** How one signal is sent. */
export interface Signal {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly encoding: "protobuf" | "json"
  /** How long a request may take. */
  readonly timeoutMillis: number
}

/** Null for what is not sent. */
export interface Settings {
  readonly traces: Signal | null
  readonly metrics: Signal | null
  /** Between two exports of metrics. */
  readonly metricsMillis: number
  readonly resource: {
    readonly serviceName: string
    readonly serviceVersion: string | undefined
    readonly attributes: Readonly<Record<string, string>>
  }
  /** The variables that are set and have no effect. */
  readonly unread: ReadonlyArray<string>
}

const refused = (field: string, limit: string) => new InvalidInput({ field, limit, actual: "another value" })

const prefix = "OTEL_EXPORTER_OTLP_"

const signals = ["TRACES", "METRICS"] as const
type Name = (typeof signals)[number]

const exporting = ["ENDPOINT", "HEADERS", "PROTOCOL", "TIMEOUT"]

const known: ReadonlySet<string> = new Set([
  ...exporting.flatMap((name) => [prefix + name, ...signals.map((signal) => `${prefix}${signal}_${name}`)]),
  ...signals.map((signal) => `OTEL_${signal}_EXPORTER`),
  "OTEL_SERVICE_NAME",
  "OTEL_RESOURCE_ATTRIBUTES",
  "OTEL_METRIC_EXPORT_INTERVAL",
  "OTEL_SDK_DISABLED"
])

/** Values of other variables that say what is done anyway. */
const fulfilled: Environment = {
  OTEL_TRACES_SAMPLER: "always_on parentbased_always_on",
  OTEL_LOGS_EXPORTER: "none",
  OTEL_PROPAGATORS: "tracecontext",
  OTEL_EXPORTER_OTLP_COMPRESSION: "none"
}

const unreadOf = (env: Environment): ReadonlyArray<string> =>
  Object.keys(env).filter((name) => {
    const value = env[name]
    return name.startsWith("OTEL_") && value && !known.has(name) && !fulfilled[name]?.split(" ").includes(value)
  })

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text)

/** A signal's own variable, else the common one: its name, and its value, if there is one. */
const variable = (env: Environment, signal: Name, name: string): readonly [string, string | undefined] => {
  const [own, common] = [`${prefix}${signal}_${name}`, prefix + name]
  return env[own] ? [own, env[own]] : [common, env[common] || undefined]
}

/** Where a signal is sent: its own endpoint is used as it is, the common endpoint gets the signal's path appended. */
const urlOf = (env: Environment, signal: Name): Effect.Effect<string | null, InvalidInput> => {
  const exporter = env[`OTEL_${signal}_EXPORTER`]
  const [name, endpoint] = variable(env, signal, "ENDPOINT")
  if (exporter === "none" || endpoint === undefined) return Effect.succeed(null)
  if (exporter && exporter !== "otlp") return refused(`OTEL_${signal}_EXPORTER`, "otlp or none")
  if (!isUrl(endpoint)) return refused(name, "a URL of http or https")
  const isOwn = name !== `${prefix}ENDPOINT`
  return Effect.succeed(isOwn ? endpoint : `${endpoint.replace(/\/+$/, "")}/v1/${signal.toLowerCase()}`)
}

const encodingOf = (env: Environment, signal: Name): Effect.Effect<Signal["encoding"], InvalidInput> => {
  const [name, protocol = "http/protobuf"] = variable(env, signal, "PROTOCOL")
  if (protocol === "http/protobuf") return Effect.succeed("protobuf")
  return protocol === "http/json" ? Effect.succeed("json") : refused(name, "http/protobuf or http/json")
}

const millisOf = (name: string, text: string | undefined, standard: number): Effect.Effect<number, InvalidInput> => {
  const millis = text ? Number(text) : standard
  return Number.isSafeInteger(millis) && millis >= 100
    ? Effect.succeed(millis)
    : refused(name, "a whole number of milliseconds from 100")
}

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** `key=value` pairs separated by commas; values are encoded as in URLs. */
const pairsOf = (text = ""): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const at = pair.indexOf("=")
      const value = at < 1 ? null : decoded(pair.slice(at + 1).trim())
      return value === null ? [] : [[pair.slice(0, at).trim(), value] as const]
    })
  )

const signalOf = Effect.fnUntraced(function* (env: Environment, signal: Name) {
  const url = yield* urlOf(env, signal)
  if (url === null) return null
  const encoding = yield* encodingOf(env, signal)
  const timeoutMillis = yield* millisOf(...variable(env, signal, "TIMEOUT"), 10_000)
  return { url, headers: pairsOf(variable(env, signal, "HEADERS")[1]), encoding, timeoutMillis } satisfies Signal
})

/** Returns null when there is nothing to send. */
export const read = (env: Environment): Effect.Effect<Settings | null, InvalidInput> =>
  Effect.gen(function* () {
    if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return null
    const traces = yield* signalOf(env, "TRACES")
    const metrics = yield* signalOf(env, "METRICS")
    if (traces === null && metrics === null) return null
    const interval = "OTEL_METRIC_EXPORT_INTERVAL"
    const metricsMillis = yield* millisOf(interval, env[interval], 60_000)
    const named = pairsOf(env["OTEL_RESOURCE_ATTRIBUTES"])
    const { "service.name": name, "service.version": serviceVersion, ...attributes } = named
    const resource = { serviceName: env["OTEL_SERVICE_NAME"] || name || "skein", serviceVersion, attributes }
    return { traces, metrics, metricsMillis, resource, unread: unreadOf(env) }
  })
