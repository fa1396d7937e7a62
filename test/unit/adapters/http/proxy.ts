/** A proxy that destroys a connection once a number of events have passed to the client. */
import { Effect } from "effect"
import * as Net from "node:net"

/** Counts the events that a client receives. */
export interface Proxy {
  readonly port: number
  /** The next connection is destroyed after `events` counted events, wherever in a packet the last one ends. */
  readonly cutAfter: (events: number) => void
  /** Destroys all connections. */
  readonly cut: () => void
}

/** The position just after the n-th event with this field; -1 if there are fewer. */
const endOf = (text: string, field: string, n: number): number => {
  let at = 0
  for (let seen = 0; seen < n; seen++) {
    const next = text.indexOf(`\n${field}: `, at)
    const id = next === -1 && text.startsWith(`${field}: `, at) ? at : next
    if (id === -1) return -1
    const end = text.indexOf("\n\n", id + 1)
    if (end === -1) return -1
    at = end
  }
  return at + 2
}

/** Forwards connections to a port until the scope closes, and counts the events with the given field. */
export const make = (to: number, field: "id" | "data" = "id") =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly server: Net.Server; readonly proxy: Proxy; readonly sockets: Set<Net.Socket> }>(
        (resume) => {
          const sockets = new Set<Net.Socket>()
          let limit = Number.POSITIVE_INFINITY
          const server = Net.createServer((client) => {
            const upstream = Net.connect(to, "127.0.0.1")
            const most = limit
            let passed = ""
            for (const socket of [client, upstream]) {
              sockets.add(socket)
              socket.on("error", () => {})
            }
            const destroy = () => {
              client.destroy()
              upstream.destroy()
            }
            client.pipe(upstream)
            client.on("close", destroy)
            upstream.on("close", destroy)
            upstream.on("data", (bytes: Buffer) => {
              const before = passed.length
              passed += bytes.toString("latin1")
              const end = Number.isFinite(most) ? endOf(passed, field, most) : -1
              if (end === -1) return void client.write(bytes)
              client.write(Buffer.from(passed.slice(before, end), "latin1"), destroy)
            })
          })
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            const port = typeof address === "object" && address !== null ? address.port : 0
            const cutAfter = (events: number) => void (limit = events)
            const cut = () => sockets.forEach((socket) => socket.destroy())
            resume(Effect.succeed({ server, sockets, proxy: { port, cutAfter, cut } }))
          })
        }
      ),
      ({ server, sockets }) =>
        Effect.sync(() => {
          server.close()
          sockets.forEach((socket) => socket.destroy())
        })
    ),
    ({ proxy }) => proxy
  )
