/**
 * Where a server listens: a port, a unix socket, or both. They are taken before anything is done for clients, and
 * released at the end.
 *
 * A port that is taken is refused, and nothing is sent to the program that has it. A socket is in a folder that only
 * its owner can use. A socket left by a killed process is recognized by an attempt to connect, and taken over; one that
 * is in use is refused.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as HttpServer from "@effect/platform/HttpServer"
import { Effect, Exit, Schema, type Scope } from "effect"
import { lstatSync, rmdirSync, unlinkSync } from "node:fs"
import type { Server } from "node:http"
import { connect, type ListenOptions } from "node:net"
import { dirname } from "node:path"
import { codeOf } from "../ErrorCode.js"
import * as SkeinHttp from "../http/SkeinHttp.js"
import * as FolderCreation from "../node/FolderCreation.js"

/** Why, and what would help. The code is the system's, or the mode of a folder. */
const reasons = {
  taken: (code: string) => `something else listens there (${code})`,
  refused: (code: string) => code,
  "not-private": (mode: string) => `its folder must be yours alone, with mode 0700 (it has ${mode})`,
  "no-socket": () => "a file that is not a socket is there; choose another path"
}

/** A server cannot listen at a place. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  /** A port with its address, or the path of a socket. */
  place: Schema.String,
  reason: Schema.Literal("taken", "refused", "not-private", "no-socket"),
  /** The system's code; of a folder that is not private, its mode. */
  code: Schema.String
}) {
  override get message() {
    return `cannot listen at ${this.place}: ${reasons[this.reason](this.code)}`
  }
}

/** How long answers that were begun may take once the server stops. */
const graceMillis = 2_000

/** A server that listens for as long as the scope. Connections that are still open a while after that are cut. */
const serverAt = (
  place: string,
  options: ListenOptions
): Effect.Effect<HttpServer.HttpServer, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    let node: Server | null = null
    const make = () => (node = SkeinHttp.createServer())
    const server = yield* Effect.mapError(NodeHttpServer.make(make, options), ({ cause }) => {
      const code = codeOf(cause)
      return new ListenFailed({ place, reason: code === "EADDRINUSE" ? "taken" : "refused", code })
    })
    const cut = Effect.sync(() => node?.closeAllConnections())
    yield* Effect.addFinalizer(() => Effect.forkDaemon(Effect.delay(cut, graceMillis)))
    return server
  })

/** Whether somebody answers at a socket. */
const isInUse = (path: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    // These errors mean that nobody listens. Any other error proves nothing, and the socket is left alone.
    socket.once("error", (error) => resume(Effect.succeed(!["ECONNREFUSED", "ENOENT"].includes(codeOf(error)))))
  })

/** Permissions of others, which the folder of a socket must not have. */
const others = 0o077

/** The most bytes of a socket's path: libuv cuts a longer one, and listens elsewhere. */
const mostBytes: Partial<Record<NodeJS.Platform, number>> = { darwin: 103, linux: 107 }

const removeEmpty = (folder: string) => Effect.ignore(Effect.try(() => rmdirSync(folder)))

/**
 * Prepares the path of a socket: makes its folder, and removes a socket that nobody listens at. Folders that are made
 * for a server that then fails are removed.
 */
const clear = Effect.fnUntraced(function* (path: string) {
  const failed = (reason: ListenFailed["reason"], code: string) => new ListenFailed({ place: path, reason, code })
  const attempt = <A>(f: () => A) => Effect.try({ try: f, catch: (thrown) => failed("refused", codeOf(thrown)) })
  if (Buffer.byteLength(path) > (mostBytes[process.platform] ?? Infinity)) {
    return yield* failed("refused", "ENAMETOOLONG")
  }
  const folder = dirname(path)
  const missing = FolderCreation.missing(folder)
  yield* Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.forEach(missing, removeEmpty)))
  yield* attempt(() => FolderCreation.make(folder))
  const { mode, uid } = yield* attempt(() => lstatSync(folder))
  const user = process.getuid?.()
  if (user !== undefined && (uid !== user || (mode & others) !== 0)) {
    return yield* failed("not-private", (mode & 0o7777).toString(8))
  }
  const found = yield* attempt(() => lstatSync(path, { throwIfNoEntry: false }))
  if (found === undefined) return
  if (!found.isSocket()) return yield* failed("no-socket", "EEXIST")
  if (yield* isInUse(path)) return yield* failed("taken", "EADDRINUSE")
  yield* Effect.logInfo("taking over a socket that nobody listens on")
  yield* attempt(() => unlinkSync(path))
})

export interface Options {
  readonly host: string
  /** 0 for any free port; null for none. */
  readonly port: number | null
  /** The path of a unix socket; null for none. */
  readonly socket: string | null
}

export interface Listening {
  /** The URL of the port, for clients; null without a port. */
  readonly url: string | null
  readonly socket: string | null
  readonly servers: ReadonlyArray<HttpServer.HttpServer>
}

/** How an address is written in a URL. */
const inUrl = (host: string): string => (host.includes(":") ? `[${host}]` : host)

const anywhere = new Set(["0.0.0.0", "::"])

const atPort = Effect.fnUntraced(function* (host: string, port: number) {
  const server = yield* serverAt(`${inUrl(host)}:${port}`, { host, port, exclusive: true })
  const taken = server.address._tag === "TcpAddress" ? server.address.port : port
  return { server, url: `http://${anywhere.has(host) ? "127.0.0.1" : inUrl(host)}:${taken}` }
})

/** Listens for as long as the scope. */
export const listen = Effect.fn("Listening.listen")(function* ({ host, port, socket }: Options) {
  const at = port === null ? null : yield* atPort(host, port)
  const [url, servers] = at === null ? [null, []] : [at.url, [at.server]]
  if (socket === null) return { url, socket, servers } satisfies Listening
  yield* clear(socket)
  return { url, socket, servers: [...servers, yield* serverAt(socket, { path: socket })] } satisfies Listening
})
