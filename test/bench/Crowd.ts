/**
 * Clients of one session's events over HTTP, in a process of their own: plain sockets that search what arrives for
 * texts. The process prints `ready` once all of them are live. For each text on a line of its stdin it prints when the
 * first and the last client received it.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { Schema } from "effect"

const Given = Schema.parseJson(Schema.Struct({ port: Schema.Int, path: Schema.String, count: Schema.Int }))

/** Milliseconds since the epoch. */
const Told = Schema.parseJson(Schema.Struct({ first: Schema.Number, last: Schema.Number }))

/** The main program of the process. */
export const run = async (given: string): Promise<void> => {
  const { count, path, port } = Schema.decodeUnknownSync(Given)(given)
  let wanted = "event: synced"
  let left = new Set<number>()
  let first = 0
  let everybody = () => {}
  const look = (index: number, text: string) => {
    if (!text.includes(wanted) || !left.delete(index)) return
    first ||= performance.timeOrigin + performance.now()
    if (left.size === 0) everybody()
  }
  const all = (text: string) =>
    new Promise<void>((resolve) => {
      wanted = text
      left = new Set(Array.from({ length: count }, (_, index) => index))
      first = 0
      everybody = resolve
    })
  const live = all(wanted)
  for (let index = 0; index < count; index++) {
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
    let rest = ""
    socket.setEncoding("latin1").on("data", (piece: string) => {
      const text = rest + piece
      rest = text.slice(-64)
      look(index, text)
    })
    socket.on("error", () => {})
    if (index % 50 === 49) await sleep(20)
  }
  await live
  process.stdout.write("ready\n")
  for await (const text of createInterface({ input: process.stdin })) {
    await all(text)
    process.stdout.write(`${JSON.stringify({ first, last: performance.timeOrigin + performance.now() })}\n`)
  }
  process.exit(0)
}

/** Starts `count` clients, and waits until all of them are live. */
export const start = async (port: number, path: string, count: number) => {
  const child = spawn(process.execPath, [process.argv[1] ?? "", "crowd", JSON.stringify({ port, path, count })], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  const closed = once(child, "close")
  return {
    /**
     * When the first and the last client receive a text, in milliseconds since the epoch. Call it before the text is
     * sent.
     */
    told: async (text: string): Promise<typeof Told.Type> => {
      child.stdin.write(`${text}\n`)
      return Schema.decodeUnknownSync(Told)((await lines.next()).value)
    },
    end: async () => {
      child.stdin.end()
      await closed
    }
  }
}
