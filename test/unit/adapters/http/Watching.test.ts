/** What hundreds of clients of one session cost: counts of reads and encodings, not time. */
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import * as Net from "node:net"
import { ground } from "../../services/runtime/engines.js"
import { serve } from "./server.js"

const clients = 300

/** Opens clients, and collects what each of them receives. */
const crowd = (port: number, path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const told = Array.from({ length: clients }, () => "")
      let look = (_: number): void => {}
      const sockets = told.map((_, index) => {
        const socket = Net.connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
        socket.setEncoding("latin1").on("error", () => {})
        socket.on("data", (piece: string) => {
          told[index] += piece
          look(index)
        })
        return socket
      })
      /** Waits until all of them have received a text. */
      const all = (text: string) =>
        Effect.async<void>((resume) => {
          const left = new Set(told.keys())
          look = (index) => {
            if (left.has(index) && told[index]?.includes(text) === true) left.delete(index)
            if (left.size === 0) resume(Effect.void)
          }
          for (const index of told.keys()) look(index)
        })
      return { sockets, all, told }
    }),
    ({ sockets }) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
  )

describe("hundreds of clients of one session", () => {
  it.scopedLive("P10 share each read and each encoding, and all receive every event", () =>
    Effect.gen(function* () {
      const reads = { events: 0, drafts: 0 }
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        reader: (reader) => ({
          ...reader,
          events: (range) => Effect.suspend(() => (reads.events++, reader.events(range))),
          draft: (sessionId) => Effect.suspend(() => (reads.drafts++, reader.draft(sessionId)))
        })
      })
      const { port } = yield* serve(gateway)
      const { id } = yield* session()
      const { all, told } = yield* crowd(port, `/v1/sessions/${id}/events`)
      yield* all("event: synced")
      Object.assign(reads, { events: 0, drafts: 0 })
      const encode = vi.spyOn(TextEncoder.prototype, "encode")
      for (let n = 1; n <= 10; n++) {
        yield* gateway.patch({ sessionId: id, title: `title ${n}` })
        yield* all(`"title":"title ${n}"`)
      }
      const encoded = encode.mock.calls.filter(([text]) => text?.startsWith("id: ") === true).length
      encode.mockRestore()
      expect({ ...reads, encoded }).toEqual({ events: 10, drafts: 10, encoded: 10 })
      for (const text of told) {
        expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual(
          Array.from({ length: 11 }, (_, index) => index + 1)
        )
      }
    })
  )
})
