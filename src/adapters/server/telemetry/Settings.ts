/**
 * Where traces and metrics are sent, by the standard variables of OpenTelemetry. Pure: the environment is passed in.
 *
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, also as `…_TRACES_ENDPOINT` and `…_METRICS_ENDPOINT`; `…_HEADERS`, `…_PROTOCOL`
 * (http/protobuf or http/json); `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` (otlp or none), `OTEL_SERVICE_NAME`,
 * `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_SDK_DISABLED`.
 */
import { Effect } from "effect"
import { InvalidInput } from "../../../domain/SkeinError.js"

type Environment = Readonly<Record<string, string | undefined>>

/** Null for what is not sent. */
export interface Settings {
  readonly traces: string | null
  readonly metrics: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly encoding: "protobuf" | "json"
  /** Between two exports of metrics. */
  readonly metricsMillis: number
  readonly service: string
}

const refused = (field: string, limit: string) => new InvalidInput({ field, limit, actual: "another value" })

const prefix = "OTEL_EXPORTER_OTLP_"

const isUrl = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text)

/** Where a signal is sent: its own endpoint is used as it is, the common endpoint gets the signal's path appended. */
const endpointOf = (env: Environment, signal: "traces" | "metrics"): Effect.Effect<string | null, InvalidInput> => {
  const upper = signal.toUpperCase()
  if (env[`OTEL_${upper}_EXPORTER`] === "none") return Effect.succeed(null)
  const [own, common] = [env[`${prefix}${upper}_ENDPOINT`], env[`${prefix}ENDPOINT`]]
  if (own) return isUrl(own) ? Effect.succeed(own) : refused(`${prefix}${upper}_ENDPOINT`, "a URL of http or https")
  if (!common) return Effect.succeed(null)
  return isUrl(common)
    ? Effect.succeed(`${common.replace(/\/+$/, "")}/v1/${signal}`)
    : refused(`${prefix}ENDPOINT`, "a URL of http or https")
}

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** `key=value` pairs separated by commas; values are encoded as in URLs. */
const pairsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(",").flatMap((pair) => {
      const at = pair.indexOf("=")
      const value = at < 1 ? null : decoded(pair.slice(at + 1).trim())
      return value === null ? [] : [[pair.slice(0, at).trim(), value] as const]
    })
  )

/** Returns null when there is nothing to send. */
export const read = (env: Environment): Effect.Effect<Settings | null, InvalidInput> =>
  Effect.gen(function* () {
    if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return null
    const traces = yield* endpointOf(env, "traces")
    const metrics = yield* endpointOf(env, "metrics")
    if (traces === null && metrics === null) return null
    const protocol = env[`${prefix}PROTOCOL`] ?? "http/protobuf"
    if (protocol !== "http/protobuf" && protocol !== "http/json") {
      return yield* refused(`${prefix}PROTOCOL`, "http/protobuf or http/json")
    }
    const millis = Number(env["OTEL_METRIC_EXPORT_INTERVAL"] ?? 60_000)
    const attributes = pairsOf(env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
    return {
      traces,
      metrics,
      headers: pairsOf(env[`${prefix}HEADERS`] ?? ""),
      encoding: protocol === "http/json" ? "json" : "protobuf",
      metricsMillis: Number.isFinite(millis) && millis >= 100 ? millis : 60_000,
      service: env["OTEL_SERVICE_NAME"] ?? attributes["service.name"] ?? "skein"
    }
  })
