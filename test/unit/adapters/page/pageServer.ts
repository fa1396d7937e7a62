/**
 * A server with its page over an engine in memory, for all tests of a file. Browsers reach it through a proxy that can cut
 * every connection at once.
 */
import { Context, Effect, Layer, Logger } from "effect"
import { Gateway } from "skein"
import * as Net from "node:net"
import { join } from "node:path"
import * as PageLink from "../../../../src/adapters/server/access/PageLink.js"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import { Server, layer } from "../../../../src/adapters/server/Server.js"
import { open, type Settings } from "../../services/runtime/fixture.js"
import { folder } from "../../services/storage/disk.js"

/** Forwards connections to a port that is set later. */
const cuttable = Effect.acquireRelease(
  Effect.async<{ readonly server: Net.Server; readonly sockets: Set<Net.Socket>; to: number; port: number }>(
    (resume) => {
      const sockets = new Set<Net.Socket>()
      const proxy = { server: Net.createServer(), sockets, to: 0, port: 0 }
      proxy.server.on("connection", (client) => {
        const upstream = Net.connect(proxy.to, "127.0.0.1")
        for (const [one, other] of [
          [client, upstream],
          [upstream, client]
        ] as const) {
          sockets.add(one)
          one.on("error", () => {})
          one.on("close", () => {
            sockets.delete(one)
            other.destroy()
          })
          one.pipe(other)
        }
      })
      proxy.server.listen(0, "127.0.0.1", () => {
        const address = proxy.server.address()
        proxy.port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed(proxy))
      })
    }
  ),
  ({ server, sockets }) =>
    Effect.sync(() => {
      server.close()
      sockets.forEach((socket) => socket.destroy())
    })
)

/** What the agent offers. */
export const offered = [
  { provider: "script", model: "queue", standard: true, prices: { input: 3, output: 15 } },
  { provider: "script", model: "other", standard: false, prices: null }
]

/** An engine, its server and the proxy in front of it. */
export const served = (settings: Settings) =>
  Effect.gen(function* () {
    const engine = yield* open(settings)
    const proxy = yield* cuttable
    const own = join(yield* folder, "server")
    const context = yield* Layer.build(
      layer(
        {
          host: "127.0.0.1",
          port: 0,
          socket: null,
          folder: own,
          hosts: [`127.0.0.1:${proxy.port}`],
          root: "/",
          newSession: {}
        },
        Layer.succeed(Gateway.Gateway, engine.gateway)
      ).pipe(Layer.provide(Logger.remove(Logger.defaultLogger)), Layer.orDie)
    )
    const { url } = Context.get(context, Server)
    proxy.to = Number(new URL(url ?? "").port)
    return {
      ...engine,
      code: PageLink.code(own, TokenText.local, "1 minute"),
      /** A code for somebody else. */
      codeOf: (given: string) =>
        Effect.gen(function* () {
          const name = TokenText.Name.make(given)
          const caps = { maxRuns: null, maxRequests: null, maxUpload: null }
          yield* TokenFolder.create(own, { name, scope: "write", owner: null, expiresAt: null, ...caps })
          return yield* PageLink.code(own, name, "1 minute")
        }),
      origin: `http://127.0.0.1:${proxy.port}`,
      cut: Effect.sync(() => proxy.sockets.forEach((socket) => socket.destroy()))
    }
  })
