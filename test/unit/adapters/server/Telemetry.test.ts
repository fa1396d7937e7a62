/** Spans and metrics at a collector, and how the variables of OpenTelemetry decide where they go. */
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import { StorageFailed } from "../../../../src/domain/SkeinError.js"
import * as Settings from "../../../../src/adapters/server/telemetry/Settings.js"
import * as Telemetry from "../../../../src/adapters/server/telemetry/Telemetry.js"

interface Received {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

const collector = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly received: Array<Received>; readonly close: () => void }>((resume) => {
    const received: Array<Received> = []
    const server = createServer((request, response) => {
      const pieces: Array<Buffer> = []
      request.on("data", (piece: Buffer) => pieces.push(piece))
      request.on("end", () => {
        received.push({ path: request.url ?? "", headers: request.headers, body: Buffer.concat(pieces).toString() })
        response.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, received, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

it.scopedLive("spans and metrics reach the collector that the environment names by the time the layer closes", () =>
  Effect.gen(function* () {
    const { received, url } = yield* collector
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/base/`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b",
      OTEL_SERVICE_NAME: "tested"
    }
    yield* Metric.increment(Metric.counter("skein_test_sent", { description: "What a test has sent" })).pipe(
      Effect.withSpan("a span of the test"),
      Effect.provide(Telemetry.layer(env))
    )
    const of = (path: string) => received.find((one) => one.path === path)
    const [spans, metrics] = [of("/base/v1/traces"), of("/base/v1/metrics")]
    expect(spans?.headers["api-key"]).toBe("a b")
    for (const said of ["a span of the test", "tested"]) expect(spans?.body).toContain(said)
    for (const said of ["skein_test_sent", "tested"]) expect(metrics?.body).toContain(said)
  })
)

it.scopedLive("a span that fails is sent with what failed, and not with the words of the error", () =>
  Effect.gen(function* () {
    const { received, url } = yield* collector
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }
    const failing = Effect.fail(new StorageFailed({ operation: "SECRET", code: "EIO" }))
    const breaking = Effect.dieMessage("SECRET")
    yield* Effect.exit(Effect.withSpan(failing, "failing")).pipe(
      Effect.zipRight(Effect.exit(Effect.withSpan(breaking, "breaking"))),
      Effect.provide(Telemetry.layer(env))
    )
    const spans = received.filter(({ path }) => path === "/v1/traces").map(({ body }) => body)
    for (const said of ["failing", "breaking", "StorageFailed", "EIO"]) expect(spans.join()).toContain(said)
    expect(spans.join()).not.toContain("SECRET")
  })
)

it.effect("telemetry is off without an endpoint or when disabled, and wrong settings are refused by name", () =>
  Effect.gen(function* () {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a.example:4318" }
    const off = [{}, { ...endpoint, OTEL_SDK_DISABLED: "true" }]
    for (const env of [...off, { ...endpoint, OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" }]) {
      expect(yield* Settings.read(env)).toBeNull()
    }
    expect(yield* Settings.read({ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://b.example/x" })).toEqual({
      traces: "http://b.example/x",
      metrics: "http://a.example:4318/v1/metrics",
      headers: {},
      encoding: "protobuf",
      metricsMillis: 60_000,
      service: "skein"
    })
    for (const [field, env] of [
      ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: "a.example" }],
      ["OTEL_EXPORTER_OTLP_PROTOCOL", { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }]
    ] as const) {
      expect(yield* Effect.flip(Layer.build(Telemetry.layer(env)).pipe(Effect.scoped))).toMatchObject({ field })
    }
  })
)
