/**
 * A loopback proxy in front of a runner: once it is cut, the runner can no longer be reached, and nobody is notified.
 */
import { Effect } from "effect"
import { connect, type Socket } from "node:net"
import * as Loopback from "../../support/Loopback.js"

export const make = Effect.fnUntraced(function* (port: number) {
  const sockets = new Set<Socket>()
  let isCut = false
  const pass = (client: Socket) => {
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
  }
  return { port: yield* Loopback.relay(pass, sockets), cut: Effect.sync(() => void (isCut = true)) }
})
