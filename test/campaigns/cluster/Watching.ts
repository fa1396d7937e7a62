/** Watches a session, and checks what it is told. */
import { Effect, Queue, Stream } from "effect"
import type { Gateway, Session } from "../../../src/index.js"
import { SessionEvent } from "../../../src/index.js"

export const make = Effect.fnUntraced(function* (gateway: Gateway.Service, sessionId: Session.Id, entries = false) {
  const events = yield* Queue.unbounded<SessionEvent.SessionEvent>()
  let cursor = 0
  let place = -1
  let text = ""
  let isWhole = true
  const see = (event: SessionEvent.SessionEvent) => {
    if (SessionEvent.isDurable(event)) {
      isWhole &&= event.cursor === cursor + 1
      cursor = event.cursor
      // The engine that goes on with the run begins its step again.
      if (event.type === "run.released") text = ""
    } else if (event.type === "text.delta") {
      if (event.seq !== place) text = ""
      isWhole &&= event.offset === text.length && event.after === cursor
      place = event.seq
      text += event.text
    }
    Queue.unsafeOffer(events, event)
  }
  const stream = yield* gateway.subscribe({ sessionId, entries })
  yield* Effect.forkScoped(Stream.runForEach(stream, (event) => Effect.sync(() => see(event))))

  /** The next event of a type; events before it are skipped. */
  const next = (type: SessionEvent.Type): Effect.Effect<SessionEvent.SessionEvent> =>
    Effect.flatMap(Queue.take(events), (event) => (event.type === type ? Effect.succeed(event) : next(type)))

  return {
    next,
    /** The text of the last step. */
    text: () => text,
    /** Whether events came in order, each once, and texts without a gap or a duplicate. */
    isWhole: () => isWhole
  }
})
