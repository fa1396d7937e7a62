/**
 * A model provider on a real loopback port, for tests: it sends the answers that it was given, byte by byte if need be,
 * and records the requests. Its scope closes it, with all its connections.
 *
 * ```ts
 * const fake = yield* FakeProvider.make
 * yield* fake.answer(FakeProvider.chat({ text: "hello" }), FakeProvider.failure(429, { headers: { "retry-after": "2" } }))
 * ```
 *
 * Answers are sent in the order in which requests arrive; a request without an answer gets status 501. `chat`,
 * `anthropic` and `responses` answer in the protocol of chat completions (`POST {url}/chat/completions`), of Anthropic
 * (`{url}/messages`) and of OpenAI (`{url}/responses`), with a step as in a script.
 */
import { Deferred, Effect, FiberSet, Queue, Ref } from "effect"
import type { Scope } from "effect"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import type { Script } from "../../../../src/domain/Script.js"
import * as Loopback from "../../../support/Loopback.js"
import * as Frames from "./FakeFrames.js"

type Step = Script[number]

/** What is sent next; an effect, such as `Deferred.await(gate)`, is waited for. */
export type Chunk = string | Uint8Array | Effect.Effect<unknown>

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: ReadonlyArray<Chunk>
  /**
   * After the last chunk: the answer is complete, the socket is cut, or nothing more is sent and the socket stays open.
   */
  readonly end: "complete" | "cut" | "silence"
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** The client's port, the same for all requests of one connection. */
  readonly port: number
  /** The body as it was sent. */
  readonly text: string
  /** The body's JSON; null if it is not JSON. */
  readonly body: unknown
  /** Whether the client disconnected before the answer was complete. */
  readonly isClosed: Effect.Effect<boolean>
  /** Waits until the client disconnects before the answer is complete. */
  readonly closed: Effect.Effect<void>
}

export interface FakeProvider {
  /** `http://127.0.0.1:PORT`, for use as a base URL. */
  readonly url: string
  /** Adds answers to those that wait for a request. */
  readonly answer: (...answers: ReadonlyArray<Answer>) => Effect.Effect<void>
  /** Every request so far, oldest first. */
  readonly received: Effect.Effect<ReadonlyArray<Received>>
  /** Waits for the next request that was not taken yet. */
  readonly take: Effect.Effect<Received>
}

/** Server-sent events. */
export const sse = (chunks: ReadonlyArray<Chunk>, options: Partial<Answer> = {}): Answer => ({
  status: 200,
  headers: { "content-type": "text/event-stream", ...options.headers },
  chunks,
  end: options.end ?? "complete"
})

/** Any other answer, sent whole. */
export const whole = (
  status: number,
  contentType: string,
  body: string,
  headers: Record<string, string> = {}
): Answer => ({
  status,
  headers: { "content-type": contentType, ...headers },
  chunks: [body],
  end: "complete"
})

/** An error in the form that all three protocols know. */
export const failure = (
  status: number,
  options: { readonly message?: string; readonly type?: string; readonly headers?: Record<string, string> } = {}
): Answer => {
  const error = { message: options.message ?? "so it is told to", type: options.type ?? "some_error" }
  return whole(status, "application/json", JSON.stringify({ type: "error", error }), options.headers)
}

/** The step's deltas, then its end: a failure cuts the socket, `hang` falls silent. */
const answerOf =
  (frames: (step: Step) => Frames.Frames) =>
  (step: Step): Answer => {
    const { closing, deltas } = frames(step)
    if (step.failure !== undefined) return sse(deltas, { end: "cut" })
    return step.hang === true ? sse(deltas, { end: "silence" }) : sse([...deltas, ...closing])
  }

export const chat = answerOf(Frames.chat)
export const anthropic = answerOf(Frames.anthropic)
export const responses = answerOf(Frames.responses)

export const make: Effect.Effect<FakeProvider, never, Scope.Scope> = Effect.suspend(() => answering(() => null))

/** A provider that answers each request with a function; if that returns null, with the next of the waiting answers. */
export const answering = Effect.fnUntraced(function* (
  respond: (request: Received) => Answer | null
): Effect.fn.Return<FakeProvider, never, Scope.Scope> {
  const answers = yield* Ref.make<ReadonlyArray<Answer>>([])
  const received = yield* Ref.make<ReadonlyArray<Received>>([])
  const untaken = yield* Queue.unbounded<Received>()
  const fork = yield* FiberSet.makeRuntime<never>()

  const handle = Effect.fnUntraced(function* (incoming: IncomingMessage, outgoing: ServerResponse) {
    const gone = yield* Deferred.make<void>()
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) Deferred.unsafeDone(gone, Effect.void)
    })
    const request = yield* read(incoming, gone)
    const answer = respond(request) ?? (yield* Ref.modify(answers, (waiting) => [waiting[0], waiting.slice(1)]))
    yield* Ref.update(received, (all) => [...all, request])
    yield* Queue.offer(untaken, request)
    yield* send(outgoing, answer ?? failure(501, { message: "no answer is left" }))
  })

  const url = yield* Loopback.serve((incoming, outgoing) => void fork(handle(incoming, outgoing)))
  return {
    url,
    answer: (...more) => Ref.update(answers, (waiting) => [...waiting, ...more]),
    received: Ref.get(received),
    take: Queue.take(untaken)
  }
})

const read = (incoming: IncomingMessage, gone: Deferred.Deferred<void>): Effect.Effect<Received> =>
  Effect.async<string>((resume) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString("utf8"))))
  }).pipe(
    Effect.map((text) => ({
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      port: incoming.socket.remotePort ?? 0,
      text,
      body: parse(text),
      isClosed: Deferred.isDone(gone),
      closed: Deferred.await(gone)
    }))
  )

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const send = Effect.fnUntraced(function* (outgoing: ServerResponse, answer: Answer) {
  outgoing.writeHead(answer.status, answer.headers)
  outgoing.flushHeaders()
  for (const chunk of answer.chunks) {
    yield* typeof chunk === "string" || chunk instanceof Uint8Array ? write(outgoing, chunk) : chunk
  }
  if (answer.end === "complete") outgoing.end()
  if (answer.end === "cut") outgoing.socket?.destroy()
})

const write = (outgoing: ServerResponse, chunk: string | Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    outgoing.write(chunk, () => resume(Effect.void))
  })
