/** A guarded server over an engine in memory, on a free loopback port, for all tests of a file; and raw bytes to it. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { afterAll, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, LogLevel, Scope, Tracer } from "effect"
import { Gateway } from "skein"
import { SkeinHttp } from "skein/http"
import * as Net from "node:net"
import { join } from "node:path"
import * as Access from "../../../../src/adapters/server/access/Access.js"
import * as PageLink from "../../../../src/adapters/server/access/PageLink.js"
import * as RunCaps from "../../../../src/adapters/server/access/RunCaps.js"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import * as Me from "../../../../src/adapters/server/Me.js"
import * as Watching from "../../../../src/adapters/server/Watching.js"
import { folder } from "../../services/storage/disk.js"
import { open, type Settings as Engine } from "../../services/runtime/fixture.js"

/** What came back on a socket until the server closed it. */
export interface Raw {
  readonly status: number
  readonly head: string
  readonly body: string
  /** The `_tag` in its JSON body; undefined if there is none. */
  readonly tag: unknown
  readonly header: (name: string) => string | undefined
}

const tagOf = (body: string): unknown => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null && "_tag" in value ? value._tag : undefined
  } catch {
    return undefined
  }
}

const read = (text: string): Raw => {
  const end = text.indexOf("\r\n\r\n")
  const [head, body] = end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 4)]
  const headers = new Map(
    head.split("\r\n").map((line) => [line.split(":")[0]?.toLowerCase() ?? "", line.replace(/^[^:]*: ?/, "")])
  )
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body,
    tag: tagOf(body),
    header: (name) => headers.get(name)
  }
}

/** Writes bytes to a socket of its own, and returns everything that comes back until the server closes it. */
const bytesTo = (port: number) => (bytes: string | Uint8Array) =>
  Effect.async<Raw>((resume) => {
    let text = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.setEncoding("latin1")
    socket.on("data", (piece: string) => (text += piece))
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.sync(() => read(text))))
    return Effect.sync(() => socket.destroy())
  })

/** The body of an answer, which may have come in chunks. */
export const whole = ({ body, header }: Raw): string => {
  if (header("transfer-encoding") !== "chunked") return body
  let text = ""
  let rest = body
  for (;;) {
    const [line = ""] = rest.split("\r\n", 1)
    const size = Number.parseInt(line, 16)
    if (!(size > 0)) return text
    const from = line.length + 2
    text += rest.slice(from, from + size)
    rest = rest.slice(from + size + 2)
  }
}

/** The caps of a token without limits. */
export const noCaps = { maxRuns: null, maxRequests: null, maxUpload: null }

export type Headers = Readonly<Record<string, string | ReadonlyArray<string>>>

interface Settings extends Partial<Access.Options> {
  readonly connections?: number
  readonly headMillis?: number
}

const make = ({ connections, headMillis, ...settings }: Settings, engine: Engine) =>
  Effect.gen(function* () {
    const own = join(yield* folder, "server")
    const { context: inner, ...opened } = yield* open(engine)
    const lines: Array<string> = []
    const logger = Logger.make((options) => void lines.push(Logger.logfmtLogger.log(options)))
    const spans: Array<Tracer.Span> = []
    const tracer = Layer.unwrapEffect(
      Effect.map(Effect.tracer, (native) =>
        Layer.setTracer(
          Tracer.make({
            context: (f, fiber) => native.context(f, fiber),
            span: (...args) => {
              const span = native.span(...args)
              spans.push(span)
              return span
            }
          })
        )
      )
    )
    const app = Layer.scopedDiscard(
      Effect.gen(function* () {
        const { serve } = yield* Access.Access
        const gateway = yield* RunCaps.bound(opened.gateway)
        const api = yield* Effect.provideService(SkeinHttp.app, Gateway.Gateway, gateway)
        const watching = Watching.apps(gateway)
        const routes = new Map([...watching, ["/me", Me.app] as const])
        const app = Effect.flatMap(HttpServerRequest, ({ url }) => routes.get(url.split("?")[0] ?? "") ?? api)
        yield* serve(app)
      })
    )
    const context = yield* Layer.build(
      app.pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(() => SkeinHttp.createServer({ connections, headMillis }), {
            port: 0,
            host: "127.0.0.1"
          })
        ),
        Layer.provideMerge(Access.layer({ folder: own, lookMillis: 20, ...settings })),
        Layer.provide(tracer),
        Layer.provide(Logger.replace(Logger.defaultLogger, logger)),
        Layer.provide(Logger.minimumLogLevel(LogLevel.All)),
        Layer.orDie
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    const raw = bytesTo(port)
    const token = yield* TokenFolder.local(own)
    /** Sends a single request. By default it calls the server by its name and carries no token. */
    const send = (method: string, path: string, headers: Headers = {}, body = "") => {
      const all: Headers = {
        host: `127.0.0.1:${port}`,
        connection: "close",
        ...(body === "" ? {} : { "content-type": "application/json", "content-length": `${Buffer.byteLength(body)}` }),
        ...headers
      }
      const lines = Object.entries(all).flatMap(([name, value]) =>
        (typeof value === "string" ? [value] : value).map((one) => `${name}: ${one}\r\n`)
      )
      return raw(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`)
    }
    return {
      ...opened,
      folder: own,
      port,
      raw,
      send,
      token,
      /** The headers of a request with the local token. */
      known: { authorization: `Bearer ${token}` },
      own: `http://127.0.0.1:${port}`,
      log: lines,
      spans,
      code: PageLink.code(own, TokenText.local, "1 minute")
    }
  })

/** The server of a file's tests. */
export class Guarded extends Context.Tag("Guarded")<Guarded, Effect.Effect.Success<ReturnType<typeof make>>>() {}

/**
 * Tests that share a server, which is closed after the group. The `layer` of @effect/vitest cannot be used for that: it
 * changes `it` for all files that the same worker runs later.
 */
export const tests = (settings: Settings = {}, engine: Engine = {}) => {
  const scope = Effect.runSync(Scope.make())
  const server = Effect.runSync(Effect.cached(Scope.extend(make(settings, engine), scope)))
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return <E>(name: string, run: () => Effect.Effect<void, E, Guarded | Scope.Scope>) =>
    it.scopedLive(name, () => Effect.provideServiceEffect(run(), Guarded, server))
}
