import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Chunk, Effect, Fiber, Layer, Option, Stream } from "effect"
import { Gateway, Message, Session, SessionEvent } from "../../../src/index.js"
import type { SessionPage } from "../../../src/domain/SessionPage.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Load from "./Load.js"
import * as Looks from "./Looks.js"

const opened = (shape: Load.Shape) =>
  Effect.flatMap(folder, (data) => Layer.build(Load.engine(data, shape, { synchronous: "NORMAL" })))

describe("load", () => {
  it.scopedLive(
    "P1 P2 200 sessions run at the same time with 8 parallel tools each; every transcript is whole and in order",
    () =>
      Effect.gen(function* () {
        const shape = { steps: 1, tools: 8, millis: 20 }
        const context = yield* opened(shape)
        const turns = yield* Effect.forEach(Arr.range(1, 200), () => Load.turn(shape), {
          concurrency: "unbounded"
        }).pipe(Effect.provide(context))
        expect(turns.flatMap(({ faults }) => faults)).toEqual([])
        const events = yield* Effect.forEach(turns, ({ ref }) => Load.watch(ref)).pipe(Effect.provide(context))
        for (const [at, cursors] of events.entries()) {
          const first = Number(turns[at]?.ref.cursor ?? 0) + 1
          expect(cursors).toEqual(cursors.map((_, place) => first + place))
        }
      })
  )

  it.scopedLive("a run of 500 steps ends with an answer", () =>
    Effect.gen(function* () {
      const shape = { steps: 500, tools: 1, millis: 0 }
      const context = yield* opened(shape)
      expect((yield* Effect.provide(Load.turn(shape), context)).faults).toEqual([])
    })
  )

  it.scopedLive(
    "P10 of 1,000 subscribers, 100 stop reading: the others see everything, and the 100 go on where they stopped",
    () =>
      Effect.gen(function* () {
        const context = yield* opened({ steps: 0, tools: 0, millis: 0 })
        const gateway = Effect.runSync(Effect.provide(Gateway.Gateway, context))
        const { id } = yield* gateway.create({ workdir: "/" })
        const renames = 20
        const all = gateway.events({ sessionId: id }).pipe(
          Stream.filter(SessionEvent.is("session.renamed")),
          Stream.map(({ cursor }) => Number(cursor)),
          Stream.take(renames),
          Stream.runCollect,
          Effect.map(Chunk.toReadonlyArray)
        )
        const readers = yield* Effect.forEach(Arr.range(1, 900), () => Effect.fork(all))
        // Subscribers that have taken the first event and ask for no more.
        const idle = yield* Effect.forEach(Arr.range(1, 100), () =>
          Effect.flatMap(Stream.toPull(gateway.events({ sessionId: id })), (pull) => Effect.as(pull, pull))
        )
        for (const n of Arr.range(1, renames)) yield* gateway.patch({ sessionId: id, title: `Title ${n}` })
        const expected = Arr.range(2, renames + 1)
        for (const reader of readers) expect(yield* Fiber.join(reader)).toEqual(expected)
        for (const pull of idle) {
          const next = Option.getOrThrow(Chunk.head(yield* pull))
          expect(SessionEvent.isDurable(next) && next.cursor).toBe(2)
        }
      })
  )

  it.scopedLive("a transcript of 100,000 messages is read page by page, whole and in order, from anywhere", () =>
    Effect.gen(function* () {
      const context = yield* opened({ steps: 0, tools: 0, millis: 0 })
      const gateway = Effect.runSync(Effect.provide(Gateway.Gateway, context))
      const { id } = yield* gateway.create({ workdir: "/" })
      const page = Array.from({ length: 1_000 }, () => Message.userText("hello"))
      for (let n = 0; n < 100; n++) yield* gateway.append(id, page)
      const count = yield* gateway
        .transcript({ sessionId: id })
        .pipe(Stream.runFold(0, (last, { seq }) => (seq === last + 1 ? seq : Number.NaN)))
      expect(count).toBe(100_000)
      const last = yield* Stream.runCollect(gateway.transcript({ sessionId: id, from: Session.Seq.make(99_999) }))
      expect([...last].map(({ seq }) => Number(seq))).toEqual([99_999, 100_000])
      expect((yield* gateway.session(id)).head).toBe(100_000)
    })
  )

  it.scopedLive("a doctor that checks the folder of a working engine finds no damage", () =>
    Effect.gen(function* () {
      const shape = { steps: 2, tools: 6, millis: 12 }
      const data = yield* folder
      const context = yield* Layer.build(Load.engine(data, shape, { synchronous: "NORMAL" }))
      let lives = 0
      const life = Effect.zipRight(
        Load.life(shape),
        Effect.sync(() => lives++)
      )
      for (let worker = 0; worker < 4; worker++) {
        yield* Effect.forkScoped(Effect.forever(Effect.provide(life, context)))
      }
      const { alarms, said } = yield* Looks.until(data, (looks) => Effect.sync(() => looks >= 30 && lives >= 20))
      expect([alarms, ...said]).toEqual([0])
    })
  )

  it.scopedLive("10,000 sessions are listed page by page, each once", () =>
    Effect.gen(function* () {
      const context = yield* opened({ steps: 0, tools: 0, millis: 0 })
      const gateway = Effect.runSync(Effect.provide(Gateway.Gateway, context))
      yield* Effect.forEach(Arr.range(1, 10_000), () => gateway.create({ workdir: "/" }), {
        concurrency: 512,
        discard: true
      })
      const ids = new Set<string>()
      let next: string | undefined
      do {
        const page: SessionPage = yield* gateway.sessions({
          limit: 500,
          total: true,
          after: next
        })
        expect(page.total).toBe(10_000)
        for (const { id } of page.sessions) ids.add(id)
        next = page.next ?? undefined
      } while (next !== undefined)
      expect(ids.size).toBe(10_000)
    })
  )
})
