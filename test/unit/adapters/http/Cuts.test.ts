/**
 * A stream of events that is cut anywhere and then continued has no gap and no duplicate: at every event, by a proxy
 * that destroys sockets; and for a client that does not read, which the server cuts off.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Stream, TestClock } from "effect"
import { type Gateway, Message, Session, SessionEvent } from "skein"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import * as Net from "node:net"
import { open } from "../../services/runtime/fixture.js"
import { type Frame, listen } from "./listening.js"
import * as Proxy from "./proxy.js"
import { serve, served } from "./server.js"

const idsOf = (frames: ReadonlyArray<Frame>) => frames.flatMap(({ id }) => (id === "" ? [] : [Number(id)]))

/** Listens until the stream is cut, then again from there, as `EventSource` does; returns all ids up to `last`. */
const persist = (port: number, sessionId: string, last: number, query = "") =>
  Effect.gen(function* () {
    const ids: Array<number> = []
    let connections = 0
    while (ids.at(-1) !== last) {
      const from = ids.length === 0 ? {} : { "last-event-id": String(ids.at(-1)) }
      const frames = yield* Effect.scoped(
        Effect.flatMap(listen(port, `/v1/sessions/${sessionId}/events${query}`, from), ({ until }) =>
          until(({ id }) => Number(id) === last)
        )
      )
      connections++
      ids.push(...idsOf(frames))
    }
    return { ids, connections }
  })

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

describe("a stream that is cut", () => {
  it.scopedLive("P10 after each event, while a run writes, has no gap and no duplicate", () =>
    Effect.gen(function* () {
      const { gateway, model, port, send, session } = yield* served()
      const proxy = yield* Proxy.make(port)
      const { id } = yield* session()
      const writing = Effect.gen(function* () {
        for (const text of ["one", "two", "three"]) {
          yield* model.play(ScriptedModel.text(text))
          yield* gateway.await(yield* send(id, text))
        }
      })
      proxy.cutAfter(1)
      const events = 1 + 3 * 4
      const [{ connections, ids }] = yield* Effect.all([persist(proxy.port, id, events, "?deltas=true"), writing], {
        concurrency: 2
      })
      expect(ids).toEqual(upTo(events))
      expect(connections).toBe(events)
      const pieces = FastCheck.array(FastCheck.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 })
      for (const [first = 1] of FastCheck.sample(pieces, 5)) {
        proxy.cutAfter(first)
        const again = yield* persist(proxy.port, id, events)
        expect(again).toEqual({ ids: upTo(events), connections: Math.ceil(events / first) })
      }
    })
  )

  it.scoped("P10 never is for a client that reads slowly", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const { id } = yield* session()
      const text = "x".repeat(1_000_000)
      for (let n = 0; n < 30; n++) yield* gateway.append(id, [Message.userText(`${n}${text}`)])
      const { cursor } = yield* gateway.session(id)
      const path = `/v1/sessions/${id}/events?entries=true`
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
      socket.on("error", () => {}).setEncoding("latin1")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      let read = ""
      // To look at the end of all that was read would copy it each time.
      let end = ""
      /** Reads until something is true, and then no more. */
      const until = (is: () => boolean) =>
        Effect.async<void>((resume) => {
          const look = () => {
            if (!is() && !socket.closed) return
            socket.pause().off("data", take).off("close", look)
            resume(Effect.void)
          }
          const take = (piece: string) => {
            read += piece
            end = (end + piece).slice(-1_000)
            look()
          }
          socket.on("data", take).on("close", look).resume()
          look()
        })
      for (let round = 1; round <= 8; round++) {
        yield* until(() => read.length >= round * 2_500_000)
        yield* TestClock.adjust("15 seconds")
      }
      yield* gateway.patch({ sessionId: id, title: "last" })
      yield* until(() => end.includes(`id: ${cursor + 1}\n`))
      expect([...read.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual(upTo(cursor + 1))
    })
  )

  it.scopedLive("P10 because its client did not read leaves the session unharmed, and continues where it was", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const cut = yield* Deferred.make<void>()
      const watched: Gateway.Service = {
        ...gateway,
        subscribe: (range) =>
          Effect.zipRight(
            Effect.addFinalizer(() => Deferred.succeed(cut, undefined)),
            gateway.subscribe(range)
          )
      }
      const { port } = yield* Effect.provideService(serve(watched), SkeinHttp.StreamTimes, {
        heartbeat: "50 millis",
        deadline: "200 millis",
        retryMillis: 1000
      })
      const { id } = yield* session()
      const text = "x".repeat(1_000_000)
      const path = `/v1/sessions/${id}/events?entries=true`
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))
      socket.pause().on("error", () => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      for (let n = 0; n < 30; n++) yield* gateway.append(id, [Message.userText(`${n}${text}`)])
      yield* gateway.patch({ sessionId: id, title: "after" })
      const { cursor } = yield* gateway.session(id)
      yield* Deferred.await(cut)
      let read = ""
      yield* Effect.async<void>((resume) => {
        socket.setEncoding("latin1").on("data", (piece: string) => (read += piece))
        socket.on("close", () => resume(Effect.void)).resume()
      })
      const seen = [...read.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
      expect(seen).toEqual(upTo(seen.length))
      expect(seen.length).toBeLessThan(cursor)
      const whole = seen.length - 1
      const rest = yield* Effect.scoped(
        Effect.flatMap(listen(port, `/v1/sessions/${id}/events`, { "last-event-id": String(whole) }), ({ until }) =>
          until(({ id }) => Number(id) === cursor)
        )
      )
      expect([...upTo(whole), ...idsOf(rest)]).toEqual(upTo(cursor))
      const events = yield* Stream.runCollect(
        Stream.take(
          gateway.events({ sessionId: Session.Id.make(id) }).pipe(Stream.filter(SessionEvent.isDurable)),
          cursor
        )
      )
      expect([...events].map(({ cursor }) => Number(cursor))).toEqual(upTo(cursor))
    })
  )
})
