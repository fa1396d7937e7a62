/** HTTP servers of tests, on free loopback ports. */
import { Effect, type Scope } from "effect"
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http"

const urlOf = (server: Server): string => {
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
}

/** Serves until the scope is closed. Returns the URL, without a slash at its end. */
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
    urlOf
  )
