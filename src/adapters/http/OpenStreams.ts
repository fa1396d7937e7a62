/**
 * The streams that are open to clients, and what is done for all of them together: heartbeats from one timer, cutting
 * off clients that do not read, and ending the streams when the server is about to stop.
 *
 * A client that does not read holds as much as fits into its socket, plus one chunk; nothing more is read for it
 * meanwhile. Once it has taken nothing for the length of the deadline, its socket is destroyed. When it comes back, it
 * continues from its cursor.
 *
 * Each stream has a small fiber of its own. The request's fiber is ten times as large because of everything that
 * surrounds a route; it ends once the stream has begun, as if the answer had been sent.
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
    /** How long a client may take nothing of what waits for it. Defaults to 30 seconds. */
    readonly deadline: Duration.DurationInput
    /** How long clients are told to wait before they come back, in milliseconds. Defaults to 1,000. */
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

/** Returns the answer with what a host's middleware adds to all answers, such as CORS headers. It is added once. */
const asHostHasIt = (request: HttpServerRequest, answer: HttpServerResponse.HttpServerResponse) =>
  Effect.flatMap(
    FiberRef.getAndSet(HttpApp.currentPreResponseHandlers, Option.none()),
    Option.match({ onNone: () => Effect.succeed(answer), onSome: (handle) => Effect.orDie(handle(request, answer)) })
  )

/** From now on the server takes the request's answer as sent: it neither waits for it nor ends it. */
const takeOver = (response: ServerResponse): void => {
  Object.defineProperty(response, "writableEnded", { value: true })
}

const drained = (response: ServerResponse) =>
  Effect.async<void>((resume) => {
    const go = () => resume(Effect.void)
    response.once("drain", go)
    return Effect.sync(() => response.off("drain", go))
  })

/** What is specific to a kind of stream. */
export interface StreamForm {
  /** Headers besides those of all streams. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Whether its clients know `closing`. Other clients are cut off when the server is about to stop, so that they do not
   * mistake it for the end.
   */
  readonly knowsClosing?: boolean
}

interface Client {
  readonly response: ServerResponse
  readonly knowsClosing: boolean
  stuckSince: number | null
}

/** What a client is sent: a text, then what is pulled. */
export interface Told {
  readonly beginning: string
  readonly pull: Pull
}

/** The open streams of one server. */
export class OpenStreams extends Context.Tag("skein/http/OpenStreams")<
  OpenStreams,
  {
    /** Answers with a stream of what `open` opens, which is closed with the stream. */
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

  /** Writes to a client until there is no more, the client leaves, or the server stops. */
  const tell = (client: Client, { beginning, pull }: Told, scope: Scope.CloseableScope): void => {
    const { response } = client
    clients.add(client)
    // A client that takes something between two heartbeats is slow, not stuck.
    const unstuck = Effect.sync(() => (client.stuckSince = null))
    const write = (bytes: Uint8Array) =>
      response.write(bytes) ? Effect.void : Effect.zipRight(drained(response), unstuck)
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
