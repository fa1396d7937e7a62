import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Session, SkeinError } from "skein"
import { ground } from "../runtime/engines.js"
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

  it.scoped("P10 that goes on with nothing live ends with what was there when it began, however much is written", () =>
    Effect.gen(function* () {
      const { open, storage } = yield* ground
      const { gateway, session } = yield* open("a", {
        reader: (reader) => ({
          ...reader,
          events: (page) => {
            const written = Effect.repeatN(
              Effect.orDie(storage.patch(page.sessionId, { title: "more" })),
              page.limit - 1
            )
            return Effect.zipLeft(reader.events(page), page.after < 2_000 ? written : Effect.void)
          }
        })
      })
      const { id } = yield* session()
      for (let count = 0; count < 299; count++) yield* storage.patch(id, { title: `${count}` })
      for (const entries of [false, true]) {
        const { cursor } = yield* gateway.session(id)
        const events = yield* Stream.runCollect(gateway.events({ sessionId: id, entries, live: false }))
        const last = [...events].at(-1)
        expect(last).toMatchObject({ cursor: events.length })
        expect(events.length - cursor).toBeLessThanOrEqual(256)
      }
    })
  )
})
