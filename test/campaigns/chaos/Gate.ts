/**
 * A way through the loopback to a port, which can be shut: to a runner's database, or to the runner itself. A shut gate
 * is silent, like a network that is cut: nothing passes, and nobody is notified. When it opens again, all connections
 * that it had are lost.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface Gate {
  readonly port: number
  readonly shut: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

export const make = (target: {
  readonly host: string
  readonly port: number
}): Effect.Effect<Gate, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    let isOpen = true
    const keep = (socket: Socket) => {
      sockets.add(socket.setNoDelay(true))
      socket.on("error", () => socket.destroy())
      socket.on("close", () => sockets.delete(socket))
    }
    const listener = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const created = createServer((client) => {
          keep(client)
          // A connection that arrives while the gate is shut waits, unanswered.
          if (!isOpen) return
          const server = connect(target)
          keep(server)
          client.pipe(server).on("close", () => client.destroy())
          server.pipe(client).on("close", () => server.destroy())
        })
        created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
      }),
      (listener) =>
        Effect.sync(() => {
          listener.close()
          for (const socket of sockets) socket.destroy()
        })
    )
    const address = listener.address()
    return {
      port: typeof address === "object" && address !== null ? address.port : 0,
      shut: Effect.sync(() => {
        isOpen = false
        for (const socket of sockets) socket.unpipe().pause()
      }),
      open: Effect.sync(() => {
        isOpen = true
        for (const socket of sockets) socket.destroy()
      })
    }
  })
