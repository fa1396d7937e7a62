/** Sends spans and metrics over OTLP for as long as the layer. What is left is sent at its end. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import { Layer } from "effect"
import type { Settings } from "./Settings.js"

export const layer = ({ encoding, headers, metrics, metricsMillis, service, traces }: Settings): Layer.Layer<never> => {
  const common = { resource: { serviceName: service }, headers, shutdownTimeout: 3_000 }
  return Layer.mergeAll(
    traces === null ? Layer.empty : OtlpTracer.layer({ ...common, url: traces }),
    metrics === null ? Layer.empty : OtlpMetrics.layer({ ...common, url: metrics, exportInterval: metricsMillis })
  ).pipe(
    Layer.provide(encoding === "json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    Layer.provide(FetchHttpClient.layer)
  )
}
