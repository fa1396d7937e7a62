/** A client of server-sent events: what it received, in order. */
import { Deferred, Effect, Queue, type Scope } from "effect"
import * as Http from "node:http"

/** One event, as it arrived. `id`, `event` and `data` are empty if they were not sent; a comment has none of them. */
export interface Frame {
  readonly id: string
  readonly event: string
  readonly data: string
}

const frameOf = (text: string): Frame => {
  const fields = Object.fromEntries(
    text.split("\n").map((line) => {
      const colon = line.indexOf(": ")
      return [line.slice(0, colon), line.slice(colon + 2)]
    })
  )
  return { id: fields["id"] ?? "", event: fields["event"] ?? "", data: fields["data"] ?? "" }
}

export interface Listener {
  readonly headers: Http.IncomingHttpHeaders
  readonly status: number
  /** The next event; null when the stream has ended. */
  readonly next: Effect.Effect<Frame | null>
  /** Events up to the first that matches, or to the end. */
  readonly until: (isLast: (frame: Frame) => boolean) => Effect.Effect<ReadonlyArray<Frame>>
  /** Comments and `retry` lines so far. */
  readonly remarks: ReadonlyArray<string>
  readonly response: Http.IncomingMessage
}

/** Listens until the scope closes. */
export const listen = (
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Listener, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const frames = yield* Queue.unbounded<Frame | null>()
    const began = yield* Deferred.make<Http.IncomingMessage, Error>()
    const remarks: Array<string> = []
    const request = Http.get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      let rest = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => {
        const pieces = (rest + text).split("\n\n")
        rest = pieces.pop() ?? ""
        for (const piece of pieces) {
          if (/^(:|retry)/.test(piece)) remarks.push(piece)
          else frames.unsafeOffer(frameOf(piece))
        }
      })
      response.on("close", () => frames.unsafeOffer(null))
      response.on("error", () => {})
      Deferred.unsafeDone(began, Effect.succeed(response))
    })
    request.on("error", (error) => Deferred.unsafeDone(began, Effect.fail(error)))
    yield* Effect.addFinalizer(() => Effect.sync(() => request.destroy()))
    const response = yield* Deferred.await(began)
    const next = Queue.take(frames)
    return {
      headers: response.headers,
      status: response.statusCode ?? 0,
      next,
      until: (isLast) =>
        Effect.gen(function* () {
          const seen: Array<Frame> = []
          for (;;) {
            const frame = yield* next
            if (frame === null) return seen
            seen.push(frame)
            if (isLast(frame)) return seen
          }
        }),
      remarks,
      response
    }
  })
