/**
 * Sends spans and metrics over OTLP for as long as the layer. What is left is sent at its end. Spans say what failed, and
 * not in which words: it does not matter where they began.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import { Effect, Layer } from "effect"
import * as SpanEnds from "../../../services/SpanEnds.js"
import type { Settings } from "./Settings.js"

export const layer = ({ encoding, headers, metrics, metricsMillis, service, traces }: Settings): Layer.Layer<never> => {
  const common = { resource: { serviceName: service }, headers, shutdownTimeout: 3_000 }
  return Layer.mergeAll(
    traces === null
      ? Layer.empty
      : Layer.unwrapScoped(
          Effect.map(OtlpTracer.make({ ...common, url: traces }), (tracer) => Layer.setTracer(SpanEnds.tracer(tracer)))
        ),
    metrics === null ? Layer.empty : OtlpMetrics.layer({ ...common, url: metrics, exportInterval: metricsMillis })
  ).pipe(
    Layer.provide(encoding === "json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    Layer.provide(FetchHttpClient.layer)
  )
}
