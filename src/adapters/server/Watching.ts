/**
 * What operators of a server see: `GET /ready`, whether it takes new runs, `GET /health`, whether it can read what is
 * stored, and `GET /metrics`, for Prometheus. The last two need a token. A token for one owner's sessions sees no metrics:
 * they cover all owners. Balancers cannot keep a token safe, so `/ready` needs none, says nothing else and reads nothing.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Metric } from "effect"
import { takeoverReasons } from "../../domain/Lease.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as Metrics from "../../services/Metrics.js"
import { MethodNotAllowed, NoSuchRoute, Stopping } from "../http/RequestErrors.js"
import { Admitted } from "./access/Admitted.js"
import * as Refusals from "./access/Refusals.js"
import * as MetricsText from "./MetricsText.js"

const readings = Effect.sync((): ReadonlyArray<MetricsText.Reading> => {
  const { system, user } = process.cpuUsage()
  const { heapUsed, rss } = process.memoryUsage()
  const loop = performance.eventLoopUtilization()
  return [
    {
      name: "process_cpu_seconds_total",
      help: "CPU time of the process",
      type: "counter",
      value: (system + user) / 1_000_000
    },
    { name: "process_resident_memory_bytes", help: "Resident memory of the process", type: "gauge", value: rss },
    {
      name: "process_start_time_seconds",
      help: "When the process started, since the epoch",
      type: "gauge",
      value: performance.timeOrigin / 1000
    },
    { name: "nodejs_heap_used_bytes", help: "Heap in use", type: "gauge", value: heapUsed },
    {
      name: "nodejs_event_loop_active_seconds_total",
      help: "Time for which the event loop was active",
      type: "counter",
      value: loop.active / 1000
    }
  ]
})

/**
 * A metric exists only from its first value on. Those without a value start at 0 here, so that rates begin with it, with
 * each of their tags. Which tools there are nobody knows.
 */
const begun = Effect.all(
  [
    Metric.value(Metrics.writeWait),
    Metric.value(Metrics.writeHold),
    Metric.value(Metrics.writesPerCommit),
    Metric.value(Metrics.commitTime),
    Metric.value(Metrics.busyRetries),
    Metric.value(Metrics.liveRuns),
    Metric.value(Metrics.eventLag),
    Metric.value(Metrics.fencedRuns),
    ...takeoverReasons.map((reason) => Metric.value(Metric.tagged(Metrics.recoveredRuns, "reason", reason)))
  ],
  { discard: true }
)

const metrics: HttpApp.Default = Effect.gen(function* () {
  if ((yield* Admitted)?.owner !== null) return Refusals.answer(new NoSuchRoute())
  yield* begun
  const text = MetricsText.render(yield* Metric.snapshot, yield* readings)
  return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
})

const health = (gateway: Service): HttpApp.Default =>
  Effect.match(gateway.sessions({ limit: 1 }), {
    onSuccess: () => HttpServerResponse.unsafeJson({ status: "ok" }),
    onFailure: ({ _tag, message }) =>
      HttpServerResponse.unsafeJson(
        { _tag, message, status: "failing" },
        { status: 503, headers: { "retry-after": "1" } }
      )
  })

const ready = (isStopping: Effect.Effect<boolean>): HttpApp.Default =>
  Effect.map(isStopping, (isStopping) => {
    if (!isStopping) return HttpServerResponse.unsafeJson({ status: "ready" })
    const { _tag, message } = new Stopping()
    return HttpServerResponse.unsafeJson(
      { _tag, message, status: "stopping" },
      { status: 503, headers: { "retry-after": "1" } }
    )
  })

/** The paths, and what answers there. `isStopping` tells whether the server was told to stop. */
export const apps = (
  gateway: Service,
  isStopping: Effect.Effect<boolean> = Effect.succeed(false)
): ReadonlyMap<string, HttpApp.Default> =>
  new Map(
    (
      [
        ["/ready", ready(isStopping)],
        ["/health", health(gateway)],
        ["/metrics", metrics]
      ] as const
    ).map(([path, app]) => [
      path,
      Effect.flatMap(HttpServerRequest, ({ method }) =>
        method === "GET" || method === "HEAD"
          ? app
          : Effect.succeed(Refusals.answer(new MethodNotAllowed({ allow: ["GET", "HEAD"] })))
      )
    ])
  )
