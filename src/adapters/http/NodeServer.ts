/**
 * A Node server with limits. It answers in JSON even what never becomes a request: a head that is too large or too
 * slow, or bytes that are not HTTP.
 */
import { createServer as createNodeServer, type Server } from "node:http"
import { codeOf } from "../ErrorCode.js"
import { Stopping } from "./RequestErrors.js"

/** Milliseconds within which a whole request must arrive. */
const requestMillis = 300_000

type Refused = readonly [status: string, tag: string, limit: string]

const tooLarge: Refused = ["431 Request Header Fields Too Large", "HeadTooLarge", "at most 16384 bytes of headers"]

const tooSlow = (headMillis: number): Refused => [
  "408 Request Timeout",
  "TooSlow",
  `a head within ${headMillis / 1000} seconds, and all of it within ${requestMillis / 1000}`
]

const malformed: Refused = ["400 Bad Request", "Malformed", "an HTTP/1.1 request"]

const answerHeaders = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  connection: "close"
}

const stopping = new Stopping()
const stoppingBody = JSON.stringify({ _tag: stopping._tag, message: stopping.message })

/** Connections beyond the limit; their requests are refused. */
const surplus = new WeakSet<object>()

/** Whether a request's socket is one too many for its server. */
export const isSurplus = (socket: object): boolean => surplus.has(socket)

const limitConnections = (server: Server, connections: number): void => {
  let open = 0
  server.on("connection", (socket) => {
    open += 1
    if (open > connections) surplus.add(socket)
    socket.once("close", () => (open -= 1))
  })
  // Up to this number, connections beyond the limit are refused with an answer; each of them costs a little as well.
  server.maxConnections = 2 * connections
}

interface Limits {
  /** Connections at a time. Defaults to 8,192. */
  readonly connections?: number | undefined
  /** Milliseconds within which a request's head must arrive. Defaults to 20,000. */
  readonly headMillis?: number | undefined
}

/**
 * Keeps a server from changing to another protocol. With a listener for `upgrade`, which Effect's server always adds, Node
 * hands over the bare socket of any request that offers one: its body is lost, and an error of the socket, which nobody
 * listens to, ends the process. Without a listener such a request is one like others, as RFC 9110 7.8 allows.
 */
const refuseUpgrades = (server: Server): void => {
  server.on("newListener", (event) => {
    // Told before it is added. No request comes in between.
    if (event === "upgrade") queueMicrotask(() => server.removeAllListeners("upgrade"))
  })
}

/** Makes a server, for `NodeHttpServer.layer`. It speaks HTTP/1.1 alone, without WebSockets. */
export const createServer = ({ connections = 8_192, headMillis = 20_000 }: Limits = {}): Server => {
  const server = createNodeServer({
    maxHeaderSize: 16_384,
    headersTimeout: headMillis,
    requestTimeout: requestMillis,
    connectionsCheckingInterval: headMillis / 4
  })
  const refusals: Readonly<Record<string, Refused>> = {
    HPE_HEADER_OVERFLOW: tooLarge,
    ERR_HTTP_REQUEST_TIMEOUT: tooSlow(headMillis)
  }
  limitConnections(server, connections)
  refuseUpgrades(server)
  // Nothing serves requests any more, or not yet: without an answer the request would wait forever.
  server.on("request", (_, response) => {
    if (server.listenerCount("request") > 1) return
    response.writeHead(503, { ...answerHeaders, "retry-after": "1" }).end(stoppingBody)
  })
  server.on("clientError", (error, socket) => {
    if (!socket.writable || codeOf(error) === "ECONNRESET") return void socket.destroy()
    const [status, _tag, limit] = refusals[codeOf(error)] ?? malformed
    const body = JSON.stringify({ _tag, field: "request", limit, message: `request: ${limit}` })
    const headers = Object.entries({ ...answerHeaders, "content-length": body.length })
    socket.end(`HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`)
  })
  return server
}
