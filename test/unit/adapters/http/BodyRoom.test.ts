/** How much of all bodies is in memory at the same time: counted, at a gateway that answers when the test says so. */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Scope } from "effect"
import * as BodyRoom from "../../../../src/adapters/http/BodyRoom.js"
import { open } from "../../services/runtime/fixture.js"
import { serve } from "./server.js"

const bytes = 100_000

/** A server with room for three such messages, whose `send` waits to be let go. */
const gated = Effect.gen(function* () {
  const { gateway, session } = yield* open({})
  const entered = yield* Queue.unbounded<Deferred.Deferred<void>>()
  const room = BodyRoom.make(3.5 * bytes)
  const send: typeof gateway.send = (input) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      yield* Queue.offer(entered, gate)
      yield* Deferred.await(gate)
      return yield* gateway.send(input)
    })
  const { request } = yield* Effect.provideService(serve({ ...gateway, send }), BodyRoom.BodyRoom, room)
  const post = (text: string) =>
    Effect.flatMap(session(), ({ id }) =>
      request("POST", `/v1/sessions/${id}/messages`, { body: JSON.stringify({ text, whenBusy: "queue" }) })
    )
  return { entered, post, room }
})

it.scopedLive("messages that are in hand at the same time have room, others wait, and a short one does not", () =>
  Effect.gen(function* () {
    const { entered, post, room } = yield* gated
    const many = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(post("x".repeat(bytes))))
    let gates = yield* Queue.takeN(entered, 3).pipe(Effect.map((three) => [...three]))
    const short = yield* Effect.fork(post("hello"))
    // It comes although all that is in hand waits, and nothing else has come before it.
    yield* Deferred.succeed(yield* Queue.take(entered), undefined)
    expect((yield* Fiber.join(short)).status).toBe(202)
    expect(yield* Queue.size(entered)).toBe(0)
    for (let answered = 0; answered < many.length; answered++) {
      const [first, ...rest] = gates
      if (first !== undefined) yield* Deferred.succeed(first, undefined)
      const next = answered + 3 < many.length ? [yield* Queue.take(entered)] : []
      gates = [...rest, ...next]
      expect([answered, yield* Queue.size(entered)]).toEqual([answered, 0])
    }
    const statuses = yield* Effect.forEach(many, (one) => Effect.map(Fiber.join(one), ({ status }) => status))
    expect(statuses).toEqual(many.map(() => 202))
    expect(room.isEmpty()).toBe(true)
  })
)

it.scopedLive("a client that goes away, waiting or not, leaves its room to others", () =>
  Effect.gen(function* () {
    const { entered, post } = yield* gated
    const first = yield* Effect.forEach([1, 2, 3], () => Effect.fork(post("x".repeat(bytes))))
    yield* Queue.takeN(entered, 3)
    const waiting = yield* Effect.forEach([1, 2, 3], () => Effect.fork(post("x".repeat(bytes))))
    yield* Fiber.interruptAll([...waiting, ...first])
    const last = yield* Effect.fork(post("x".repeat(bytes)))
    const letGo = Effect.flatMap(Queue.take(entered), (gate) => Deferred.succeed(gate, undefined))
    expect((yield* Effect.raceFirst(Fiber.join(last), Effect.forever(letGo))).status).toBe(202)
  })
)

/** A room for ten bytes, and bodies that take some of it until they are let go. */
const ofTen = Effect.sync(() => {
  const room = BodyRoom.make(10)
  const came: Array<string> = []
  const enter = Effect.fnUntraced(function* (name: string, wanted: number) {
    const scope = yield* Scope.make()
    const fiber = yield* BodyRoom.take(wanted).pipe(
      Effect.provideService(BodyRoom.BodyRoom, room),
      Effect.zipRight(Effect.sync(() => came.push(name))),
      Scope.extend(scope),
      Effect.fork
    )
    // It has taken its place by then.
    yield* Effect.yieldNow()
    return { fiber, letGo: Scope.close(scope, Exit.void) }
  })
  return { came, enter }
})

it.scopedLive("a large body does not wait for smaller ones that came after it", () =>
  Effect.gen(function* () {
    const { came, enter } = yield* ofTen
    const first = yield* enter("first", 6)
    const large = yield* enter("large", 10)
    const small = yield* enter("small", 4)
    yield* first.letGo
    yield* Fiber.join(large.fiber)
    expect(came).toEqual(["first", "large"])
    yield* large.letGo
    yield* Fiber.join(small.fiber)
  })
)

it.scopedLive("a body whose client goes away when its turn comes takes no room with it", () =>
  Effect.gen(function* () {
    const { came, enter } = yield* ofTen
    const first = yield* enter("first", 10)
    const gone = yield* enter("gone", 10)
    yield* first.letGo
    // Its turn has come, and it does not know yet.
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(gone.fiber)
    yield* gone.letGo
    const last = yield* enter("last", 10)
    yield* Fiber.join(last.fiber)
    expect(came.at(-1)).toBe("last")
  })
)
