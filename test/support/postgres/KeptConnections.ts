/**
 * A loopback proxy that keeps connections to a PostgreSQL server open when their clients go, and gives them to the next
 * clients that ask for the same. To connect costs the server more than all that most tests ask it for, as each
 * connection first reads what there is in the database.
 *
 * A client gets a connection as good as new: its settings, prepared statements, locks and channels are the server's
 * defaults again. A client that is cut off instead of taking its leave, as one that is killed, takes its connection with
 * it.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { connect, type Socket } from "node:net"
import * as Loopback from "../Loopback.js"
import * as Wire from "./Wire.js"

/** What a client says last. */
const leave = Buffer.from("X\0\0\0\u0004", "latin1")

const query = (text: string): Buffer => {
  const message = Buffer.alloc(text.length + 6)
  message.write("Q")
  message.writeUInt32BE(text.length + 5, 1)
  message.write(text, 5)
  return message
}

const discard = "DISCARD ALL"
const renew = Buffer.concat([query("ROLLBACK"), query(discard)])

/** A connection to the server. */
interface Kept {
  readonly socket: Socket
  /** What the server has said to its first client, from its consent on. */
  readonly greeting: Array<Buffer>
  /** Gets what the server says. */
  hears: (chunk: Buffer) => void
  /** Called when the server ends it. */
  ends: () => void
}

/** Returns the URL by which clients reach the server at the given URL. Everything ends with the scope. */
export const make = (url: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = new URL(url)
    const sockets = new Set<Socket>()
    /** By what a client says first: its user, its database and its settings. */
    const idle = new Map<string, Array<Kept>>()

    const open = (): Kept => {
      const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
      const kept: Kept = { socket, greeting: [], hears: () => {}, ends: () => {} }
      sockets.add(socket)
      socket.on("data", (chunk: Buffer) => kept.hears(chunk))
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        for (const [key, all] of idle)
          idle.set(
            key,
            all.filter((other) => other !== kept)
          )
        kept.ends()
      })
      return kept
    }

    /** Gives a new connection to the client, and learns what the server says to that. */
    const first = (client: Socket, hello: Wire.Message): Kept => {
      const kept = open()
      const read = Wire.reader(false)
      let isWelcome = false
      kept.hears = (chunk) => {
        for (const message of read(chunk)) {
          isWelcome ||= Wire.isConsent(message)
          if (isWelcome) kept.greeting.push(message.bytes)
          if (Wire.isReady(message)) kept.hears = (later) => client.write(later)
        }
        client.write(chunk)
      }
      kept.socket.write(hello.bytes)
      return kept
    }

    /** Makes a connection whose client has left as good as new, for another. */
    const release = (kept: Kept, key: string) => {
      const read = Wire.reader(false)
      let isDone = false
      kept.ends = () => {}
      kept.hears = (chunk) => {
        for (const message of read(chunk)) {
          isDone ||= Wire.isDone(message, discard)
          if (isDone && Wire.isReady(message)) idle.set(key, [...(idle.get(key) ?? []), kept])
        }
      }
      kept.socket.write(renew)
    }

    const serve = (client: Socket) => {
      const read = Wire.reader(true)
      let key = ""
      let kept: Kept | null = null
      sockets.add(client)
      const begin = (chunk: Buffer) => {
        for (const message of read(chunk)) {
          if (kept !== null) kept.socket.write(message.bytes)
          else if (Wire.asksForEncryption(message)) client.write("N")
          else {
            key = message.bytes.toString("latin1")
            const known = idle.get(key)?.pop()
            if (known !== undefined) {
              known.hears = (later) => client.write(later)
              client.write(Buffer.concat(known.greeting))
            }
            kept = known ?? first(client, message)
            kept.ends = () => client.destroy()
          }
        }
      }
      client.on("data", (chunk: Buffer) => {
        if (kept === null) return begin(chunk)
        const isLast = chunk.subarray(-leave.length).equals(leave)
        kept.socket.write(isLast ? chunk.subarray(0, -leave.length) : chunk)
        if (!isLast) return
        release(kept, key)
        kept = null
        client.end()
      })
      client.on("error", () => {})
      client.on("close", () => {
        sockets.delete(client)
        kept?.socket.destroy()
      })
    }

    const own = new URL(url)
    own.port = `${yield* Loopback.relay(serve, sockets)}`
    return own.href
  })
