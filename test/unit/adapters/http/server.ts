/** A server over an engine in memory, on a free loopback port, and what tests do with it: requests, raw bytes. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import { Context, Effect, Layer, Logger } from "effect"
import { Gateway } from "skein"
import { SkeinHttp } from "skein/http"
import * as Http from "node:http"
import * as Net from "node:net"
import { open, type Settings } from "../../services/runtime/fixture.js"

/** Occurs in hostile requests. No answer and no line of the log may contain it. */
export const canary = "canary-5ec3e7"

export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
  readonly json: () => unknown
}

export interface Wish {
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Http.Agent
}

const collected = (incoming: Http.IncomingMessage, answer: (answer: Answer) => void) => {
  const pieces: Array<Buffer> = []
  incoming.on("data", (piece: Buffer) => pieces.push(piece))
  incoming.on("end", () => {
    const bytes = Buffer.concat(pieces)
    const text = bytes.toString()
    answer({
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      bytes,
      text,
      json: (): unknown => JSON.parse(text)
    })
  })
}

/** Sends a single request, with a JSON body unless the headers say otherwise. */
export const requestOf =
  (port: number) =>
  (method: string, path: string, { agent, body, headers = {} }: Wish = {}) =>
    Effect.async<Answer, Error>((resume) => {
      const request = Http.request(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent: agent ?? false,
          headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers }
        },
        (incoming) => collected(incoming, (answer) => resume(Effect.succeed(answer)))
      )
      request.on("error", (error) => resume(Effect.fail(error)))
      request.end(body)
      return Effect.sync(() => request.destroy())
    })

/**
 * Writes bytes to a socket of its own, and returns everything that comes back until the server closes it, or until
 * `until` matches.
 */
const rawOf = (port: number) => (bytes: string | Uint8Array, until?: RegExp) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.setEncoding("latin1")
    socket.on("data", (piece: string) => {
      text += piece
      if (until?.test(text) === true) socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  })

/** The status of each answer in what a socket received. */
export const statusesOf = (text: string): ReadonlyArray<number> =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

/** What was logged while an effect's scope was open. */
const logged = () => {
  const lines: Array<string> = []
  const logger = Logger.make((options) => void lines.push(Logger.logfmtLogger.log(options)))
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

/** Serves a gateway until the scope closes, to the principals of the layer. */
export const serve = (gateway: Gateway.Service, principals = SkeinHttp.everybody) =>
  Effect.gen(function* () {
    const log = logged()
    const context = yield* Layer.build(
      SkeinHttp.serve.pipe(
        Layer.provideMerge(NodeHttpServer.layer(SkeinHttp.createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provide([Layer.succeed(Gateway.Gateway, gateway), principals]),
        Layer.provide(log.layer),
        Layer.orDie
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    return { port, request: requestOf(port), raw: rawOf(port), log: log.lines }
  })

/** An engine in memory with its server. */
export const served = (settings: Settings = {}) =>
  Effect.gen(function* () {
    const engine = yield* open(settings)
    return { ...engine, ...(yield* serve(engine.gateway)) }
  })
