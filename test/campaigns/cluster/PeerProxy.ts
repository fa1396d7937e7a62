/**
 * A loopback proxy in front of a runner: once it is cut, the runner can no longer be reached, and nobody is notified.
 */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"

export const make = Effect.fnUntraced(function* (port: number) {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((client) => {
    const peer = connect({ host: "127.0.0.1", port })
    for (const [socket, other] of [
      [client, peer],
      [peer, client]
    ] as const) {
      sockets.add(socket)
      socket.on("data", (chunk) => void (isCut || other.write(chunk)))
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  const own = yield* Effect.acquireRelease(
    Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
  return { port: own, cut: Effect.sync(() => void (isCut = true)) }
})
