/** Servers of tests, on free loopback ports. */
import { Effect, type Scope } from "effect"
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http"
import * as Net from "node:net"

const portOf = (server: Net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Serves HTTP until the scope is closed. Returns the URL, without a slash at its end. */
export const serve = (
  handle: RequestListener,
  options: ServerOptions = {}
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server = createServer(options, handle)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    (server) => `http://127.0.0.1:${portOf(server)}`
  )

/** Gives each client that connects to `pass` until the scope is closed, which ends all of `sockets`. Returns the port. */
export const relay = (
  pass: (client: Net.Socket) => void,
  sockets: ReadonlySet<Net.Socket>
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const server = Net.createServer({ noDelay: true }, pass)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    ),
    portOf
  )
