import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Session, SkeinError } from "skein"
import { open } from "../runtime/fixture.js"

describe("subscribe", () => {
  it.scoped("P10 fails before the stream begins for a cursor that no event has yet or an unknown session", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { cursor, id } = yield* session()
      const after = Session.Cursor.make(cursor + 1)
      expect(yield* Effect.flip(gateway.subscribe({ sessionId: id, after }))).toEqual(
        new SkeinError.CursorGone({ sessionId: id, after, oldest: 1, newest: cursor })
      )
      const sessionId = Session.Id.make("nobody")
      expect(yield* Effect.flip(gateway.subscribe({ sessionId }))).toEqual(
        new SkeinError.SessionNotFound({ sessionId })
      )
    })
  )

  it.scoped("P10 has the events from before it began, and those that follow", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      const stream = yield* gateway.subscribe({ sessionId: id })
      yield* gateway.patch({ sessionId: id, title: "one" })
      yield* gateway.patch({ sessionId: id, title: "two" })
      const events = yield* Stream.runCollect(Stream.take(stream, 3))
      expect([...events].map(({ type }) => type)).toEqual(["session.created", "session.renamed", "session.renamed"])
    })
  )

  it.scoped("P10 that goes on with nothing live ends with what is there, however much that is", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      for (let count = 0; count < 256; count++) yield* gateway.patch({ sessionId: id, title: `${count}` })
      for (const entries of [false, true]) {
        const events = yield* Stream.runCollect(gateway.events({ sessionId: id, entries, live: false }))
        expect([...events].map((event) => "cursor" in event && event.cursor)).toEqual(
          Array.from({ length: 257 }, (_, index) => index + 1)
        )
      }
      const { cursor } = yield* gateway.session(id)
      expect([...(yield* Stream.runCollect(gateway.events({ sessionId: id, after: cursor, live: false })))]).toEqual([])
    })
  )
})
