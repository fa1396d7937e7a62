/**
 * Sends spans and metrics over OTLP for as long as the layer. What is left is sent at its end.
 *
 * A request that takes too long is ended. When a collector does not take what it is sent, that is told once, and so is
 * that it works again.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { type HttpClientError, RequestError } from "@effect/platform/HttpClientError"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import { ConfigProvider, Effect, Layer, type Tracer } from "effect"
import type { Settings, Signal } from "./Settings.js"

/** Receives what became of the sending, with the host that it goes to: a URL may have a key. */
export interface Tell {
  /** `why` is an error, or the status of the answer. */
  readonly failed: (what: "traces" | "metrics", host: string, why: HttpClientError | number) => Effect.Effect<void>
  readonly works: (what: "traces" | "metrics", host: string) => Effect.Effect<void>
}

const client = (what: "traces" | "metrics", { timeoutMillis, url }: Signal, { failed, works }: Tell) =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (client) => {
      const { host } = new URL(url)
      let isFailing = false
      const heard = (why: HttpClientError | number | null) =>
        Effect.suspend(() => {
          if ((why !== null) === isFailing) return Effect.void
          isFailing = why !== null
          return why === null ? works(what, host) : failed(what, host, why)
        })
      return HttpClient.transform(client, (answer, request) =>
        answer.pipe(
          // A connection is free once its answer has been read.
          Effect.tap(({ arrayBuffer }) => Effect.ignore(arrayBuffer)),
          Effect.timeoutFail({
            duration: timeoutMillis,
            onTimeout: () => new RequestError({ request, reason: "Transport", cause: { code: "ETIMEDOUT" } })
          }),
          Effect.tapBoth({ onSuccess: ({ status }) => heard(status < 300 ? null : status), onFailure: heard })
        )
      )
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))

const encodings = { json: OtlpSerialization.layerJson, protobuf: OtlpSerialization.layerProtobuf }

/** The package reads variables too, and would name the service twice. */
const withoutVariables = Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))

/** `wrap` is given the tracer whose spans are sent, and returns the one that is used. */
export const layer = (
  { metrics, metricsMillis, resource, traces }: Settings,
  tell: Tell,
  wrap: (tracer: Tracer.Tracer) => Tracer.Tracer
): Layer.Layer<never> => {
  const common = { resource, shutdownTimeout: 3_000 }
  const sending = (what: "traces" | "metrics", signal: Signal) =>
    Layer.merge(client(what, signal, tell), encodings[signal.encoding])
  return Layer.merge(
    traces === null
      ? Layer.empty
      : withoutVariables(OtlpTracer.make({ ...common, url: traces.url, headers: traces.headers })).pipe(
          Effect.map((tracer) => Layer.setTracer(wrap(tracer))),
          Layer.unwrapScoped,
          Layer.provide(sending("traces", traces))
        ),
    metrics === null
      ? Layer.empty
      : withoutVariables(
          OtlpMetrics.make({ ...common, url: metrics.url, headers: metrics.headers, exportInterval: metricsMillis })
        ).pipe(Layer.scopedDiscard, Layer.provide(sending("metrics", metrics)))
  )
}
