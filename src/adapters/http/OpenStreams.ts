/**
 * The streams that are open to clients, and what is done for all of them at once: one timer's heartbeats, the cut of those
 * that do not read, and their end when the server is about to stop.
 *
 * A client that does not read holds what fits into its socket and one chunk more: nothing is read for it meanwhile. When
 * it has taken nothing for the deadline its socket is destroyed; it goes on from its cursor when it comes back.
 *
 * A stream has a small fiber of its own. The request's fiber, which all that surrounds a route has made ten times as large,
 * ends once the stream has begun, as if the answer were out.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Deferred, Duration, Effect, Exit, FiberRef, FiberSet, Layer, Option, Scope } from "effect"
import type { ServerResponse } from "node:http"
import { Stopping } from "./RequestErrors.js"

/** Times of event streams. */
export class StreamTimes extends Context.Reference<StreamTimes>()("skein/http/StreamTimes", {
  defaultValue: (): {
    /** Between two heartbeats. Defaults to 15 seconds. */
    readonly heartbeat: Duration.DurationInput
    /** How long a client may take nothing of what is there for it. Defaults to 30 seconds. */
    readonly deadline: Duration.DurationInput
    /** What clients are told to wait for before they come back, in milliseconds. Defaults to 1,000. */
    readonly retryMillis: number
  } => ({ heartbeat: "15 seconds", deadline: "30 seconds", retryMillis: 1000 })
}) {}

const encoder = new TextEncoder()

/** One server-sent event without an id. */
export const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

/** Bytes for a client; None when there are no more. */
export type Pull = Effect.Effect<Uint8Array, Option.Option<never>>

const streamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff"
}

/** An answer with what a host's middleware adds to all of them, such as headers for other origins. It is added once. */
const asHostHasIt = (request: HttpServerRequest, answer: HttpServerResponse.HttpServerResponse) =>
  Effect.flatMap(
    FiberRef.getAndSet(HttpApp.currentPreResponseHandlers, Option.none()),
    Option.match({ onNone: () => Effect.succeed(answer), onSome: (handle) => Effect.orDie(handle(request, answer)) })
  )

/** From now on whoever serves the request takes its answer for one that is out: it neither waits for it nor ends it. */
const takeOver = (response: ServerResponse): void => {
  Object.defineProperty(response, "writableEnded", { value: true })
}

const drained = (response: ServerResponse) =>
  Effect.async<void>((resume) => {
    const go = () => resume(Effect.void)
    response.once("drain", go)
    return Effect.sync(() => response.off("drain", go))
  })

/** What a kind of stream has of its own. */
export interface StreamForm {
  /** Besides those of all streams. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Whether its clients know `closing`. Others are cut off when the server is about to stop, which they take for what it
   * is: not the end.
   */
  readonly knowsClosing?: boolean
}

interface Client {
  readonly response: ServerResponse
  readonly knowsClosing: boolean
  stuckSince: number | null
}

/** What a client is told: a text, then what is pulled. */
export interface Told {
  readonly beginning: string
  readonly pull: Pull
}

/** The open streams of one server. */
export class OpenStreams extends Context.Tag("skein/http/OpenStreams")<
  OpenStreams,
  {
    /** An answer that tells what is opened, which is closed with the stream. */
    readonly respond: <E, R>(
      open: Effect.Effect<Told, E, R>,
      form?: StreamForm
    ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E | Stopping, HttpServerRequest | Exclude<R, Scope.Scope>>
    /** Fails once the server is about to stop. */
    readonly stopping: Effect.Effect<never, Stopping>
  }
>() {}

const make = Effect.gen(function* () {
  const { deadline, heartbeat, retryMillis } = yield* StreamTimes
  const clock = yield* Effect.clock
  const fork = yield* FiberSet.makeRuntime()
  const clients = new Set<Client>()
  const stop = yield* Deferred.make<never, Stopping>()
  let isStopping = false
  const beat = ": hb\n\n"
  const stuckMillis = Duration.toMillis(deadline)

  const look = (client: Client, now: number): void => {
    if (!client.response.writableNeedDrain) {
      client.stuckSince = null
      client.response.write(beat)
      return
    }
    client.stuckSince ??= now
    if (now - client.stuckSince >= stuckMillis) client.response.destroy()
  }

  yield* Effect.sync(() => {
    const now = clock.unsafeCurrentTimeMillis()
    clients.forEach((client) => look(client, now))
  }).pipe(Effect.delay(heartbeat), Effect.forever, Effect.forkScoped)

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isStopping = true
      const last = frame("closing", { retryMillis })
      for (const { knowsClosing, response } of clients) {
        if (knowsClosing) response.end(last)
        else response.destroy()
      }
      return Deferred.fail(stop, new Stopping())
    })
  )

  /** Tells a client until there is no more, it goes, or the server stops. */
  const tell = (client: Client, { beginning, pull }: Told, scope: Scope.CloseableScope): void => {
    const { response } = client
    clients.add(client)
    const write = (bytes: Uint8Array) => (response.write(bytes) ? Effect.void : drained(response))
    const all = Effect.zipRight(
      write(encoder.encode(`retry: ${retryMillis}\n\n${beginning}`)),
      Effect.forever(Effect.flatMap(pull, write))
    )
    const end = Effect.suspend(() => {
      clients.delete(client)
      response.end()
      return Scope.close(scope, Exit.void)
    })
    const fiber = fork(Effect.ensuring(Effect.ignore(all), end))
    response.once("close", () => fiber.unsafeInterruptAsFork(fiber.id()))
  }

  const respond = <E, R>(open: Effect.Effect<Told, E, R>, { headers = {}, knowsClosing = true }: StreamForm = {}) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest
        const scope = yield* Scope.make()
        const close = Scope.close(scope, Exit.void)
        const told = yield* restore(Scope.extend(open, scope)).pipe(Effect.onError(() => close))
        const plain = HttpServerResponse.empty({ status: 200, headers: { ...streamHeaders, ...headers } })
        if (isStopping) return yield* Effect.zipRight(close, new Stopping())
        if (request.method === "HEAD") return yield* Effect.as(close, plain)
        const answer = yield* Effect.onError(asHostHasIt(request, plain), () => close)
        const response = NodeHttpServerRequest.toServerResponse(request)
        if (response.destroyed) return yield* Effect.as(close, answer)
        response.writeHead(answer.status, answer.headers)
        tell({ response, knowsClosing, stuckSince: null }, told, scope)
        takeOver(response)
        return answer
      })
    )

  return { respond, stopping: Deferred.await(stop) }
})

/** The streams of one server; they end with the layer. */
export const layer: Layer.Layer<OpenStreams> = Layer.scoped(OpenStreams, make)
