/** Spans and metrics at a collector, and how the variables of OpenTelemetry decide where they go. */
import { expect, it } from "@effect/vitest"
import { Chunk, ConfigProvider, Effect, Layer, Metric, Queue, TestClock } from "effect"
import type { IncomingMessage } from "node:http"
import { StorageFailed } from "../../../../src/domain/SkeinError.js"
import * as Settings from "../../../../src/adapters/server/telemetry/Settings.js"
import * as Metrics from "../../../../src/services/Metrics.js"
import * as Loopback from "../../../support/Loopback.js"
import * as Telemetry from "../../../../src/adapters/server/telemetry/Telemetry.js"

interface Received {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

const silent: Telemetry.Tell = { unread: () => Effect.void, failed: () => Effect.void, works: () => Effect.void }

/** A collector that answers with a status, or never. */
const collectorThat = (answers: { readonly status: number | "never" }) =>
  Effect.gen(function* () {
    const received: Array<Received> = []
    /** Receives the requests that were ended without an answer. */
    const ended = yield* Queue.unbounded<string>()
    const url = yield* Loopback.serve((request, response) => {
      const path = request.url ?? ""
      const pieces: Array<Buffer> = []
      request.on("data", (piece: Buffer) => pieces.push(piece))
      response.on("close", () => void (response.writableFinished || ended.unsafeOffer(path)))
      request.on("end", () => {
        received.push({ path, headers: request.headers, body: Buffer.concat(pieces).toString() })
        if (answers.status === "never") return
        response.writeHead(answers.status, { "content-type": "application/json" }).end("{}")
      })
    })
    return { url, received, ended }
  })

const collector = collectorThat({ status: 200 })

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
      Effect.provide(Telemetry.layer(env, silent))
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
      Effect.provide(Telemetry.layer(env, silent))
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
      traces: { url: "http://b.example/x", headers: {}, encoding: "protobuf", timeoutMillis: 10_000 },
      metrics: { url: "http://a.example:4318/v1/metrics", headers: {}, encoding: "protobuf", timeoutMillis: 10_000 },
      metricsMillis: 60_000,
      resource: { serviceName: "skein", serviceVersion: undefined, attributes: {} },
      unread: []
    })
    for (const [field, env] of [
      ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: "a.example" }],
      ["OTEL_EXPORTER_OTLP_PROTOCOL", { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }],
      ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", { ...endpoint, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "grpc" }],
      ["OTEL_EXPORTER_OTLP_TIMEOUT", { ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: "10s" }],
      ["OTEL_METRIC_EXPORT_INTERVAL", { ...endpoint, OTEL_METRIC_EXPORT_INTERVAL: "0" }],
      ["OTEL_TRACES_EXPORTER", { ...endpoint, OTEL_TRACES_EXPORTER: "zipkin" }]
    ] as const) {
      expect(yield* Effect.flip(Layer.build(Telemetry.layer(env, silent)).pipe(Effect.scoped))).toMatchObject({ field })
    }
  })
)

it.effect("a signal's own variables come before the common ones, and empty ones count as absent", () =>
  Effect.gen(function* () {
    const settings = yield* Settings.read({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://a.example",
      OTEL_EXPORTER_OTLP_HEADERS: "common=1",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "own=2",
      OTEL_EXPORTER_OTLP_METRICS_HEADERS: "",
      OTEL_EXPORTER_OTLP_PROTOCOL: "",
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_TIMEOUT: "1000",
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "2000",
      OTEL_SERVICE_NAME: "",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=mine,service.version=3,deployment=a%20b"
    })
    expect(settings).toMatchObject({
      traces: { headers: { own: "2" }, encoding: "protobuf", timeoutMillis: 2000 },
      metrics: { headers: { common: "1" }, encoding: "json", timeoutMillis: 1000 },
      resource: { serviceName: "mine", serviceVersion: "3", attributes: { deployment: "a b" } }
    })
  })
)

it.scopedLive("variables that have no effect are named, unless they ask for what is done anyway", () =>
  Effect.gen(function* () {
    const { url } = yield* collector
    const told: Array<ReadonlyArray<string>> = []
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_PROPAGATORS: "tracecontext"
    }
    const tell = { ...silent, unread: (names: ReadonlyArray<string>) => Effect.sync(() => told.push(names)) }
    yield* Layer.build(Telemetry.layer(env, tell)).pipe(Effect.scoped)
    expect(told).toEqual([["OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_COMPRESSION"]])
  })
)

it.scopedLive("each attribute of the resource is sent once, and times have their unit", () =>
  Effect.gen(function* () {
    const { received, url } = yield* collector
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=mine,service.version=3,deployment=test"
    }
    yield* Metric.update(Metrics.commitTime, 3).pipe(
      Effect.withSpan("a span of the test"),
      Effect.provide(Telemetry.layer(env, silent)),
      // As a process has them.
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
    )
    expect(received).toHaveLength(2)
    for (const { body } of received) {
      const keys = Array.from(body.matchAll(/"key":"(service\.\w+|deployment)"/g), ([, key = ""]) => key)
      expect(keys.toSorted()).toEqual(["deployment", "service.name", "service.version"])
    }
    expect(received.map(({ body }) => body).join()).toMatch(/"skein_commit_time","description":"[^"]*","unit":"ms"/)
  })
)

/** What is told about the sending, and how it is received. */
const telling = Effect.map(Queue.unbounded<string>(), (told) => {
  const tell: Telemetry.Tell = {
    ...silent,
    failed: (what, host, why) => Queue.offer(told, `${what} to ${host}: ${why}`),
    works: (what, host) => Queue.offer(told, `${what} to ${host} again`)
  }
  return { told, tell }
})

it.scoped("a collector that takes nothing is told of once, and that it works again", () =>
  Effect.gen(function* () {
    const answers: { status: number | "never" } = { status: 401 }
    const { received, url } = yield* collectorThat(answers)
    const { host } = new URL(url)
    const { tell, told } = yield* telling
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_EXPORTER_OTLP_TIMEOUT: "3600000"
    }
    yield* Effect.gen(function* () {
      const send = Effect.zipRight(Effect.withSpan(Effect.void, "a span"), TestClock.adjust("30 seconds"))
      yield* Effect.repeat(send, { until: () => received.length > 1 })
      answers.status = 200
      const two = Effect.all([Queue.take(told), Queue.take(told)])
      const [first, second] = yield* Effect.raceFirst(two, Effect.forever(send))
      expect([first, second]).toEqual([`traces to ${host}: HTTP 401`, `traces to ${host} again`])
    }).pipe(Effect.provide(Telemetry.layer(env, tell)))
    expect(Chunk.toReadonlyArray(yield* Queue.takeAll(told))).toEqual([])
  })
)

it.scopedLive("a request that is never answered is ended", () =>
  Effect.gen(function* () {
    const { ended, url } = yield* collectorThat({ status: "never" })
    const { tell, told } = yield* telling
    const env = {
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_TIMEOUT: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "100"
    }
    yield* Effect.gen(function* () {
      expect(yield* Queue.take(told)).toBe(`metrics to ${new URL(url).host}: ETIMEDOUT`)
      yield* Queue.take(ended)
    }).pipe(Effect.provide(Telemetry.layer(env, tell)))
  })
)
