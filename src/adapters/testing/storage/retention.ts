import { Effect } from "effect"
import { userText } from "../../../domain/Message.js"
import { SessionId } from "../../../domain/Session.js"
import { type Retention, Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  append,
  appendStep,
  assistant,
  create,
  createAndStart,
  events,
  refused,
  s1,
  session,
  transcript
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const prune = (retention: Partial<Retention>) =>
  Effect.flatMap(Storage, (storage) =>
    Effect.repeat(storage.prune({ before: 0, keep: 1_000_000, since: Number.MAX_SAFE_INTEGER, ...retention }), {
      while: (more) => more
    })
  )

const renames = (times: number) =>
  Effect.flatMap(Storage, (storage) =>
    Effect.forEach(Array.from({ length: times }), (_, nth) => storage.patch(s1, { title: `Title ${nth}` }), {
      discard: true
    })
  )

const cursors = Effect.map(events(), (events) => events.map(({ cursor }) => Number(cursor)))

export const retentionTests = (test: Test) => {
  test("P10 only the newest events are kept, and only a cursor that would miss deleted events is refused", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* create()
      yield* renames(9)
      const before = yield* session()
      yield* prune({ keep: 4 })
      expect(yield* cursors).toEqual([7, 8, 9, 10])
      expect(yield* reader.oldestCursor(s1)).toBe(7)
      expect(yield* refused(reader.events({ sessionId: s1, after: 5, limit: 9 }))).toEqual({
        _tag: "CursorGone",
        sessionId: s1,
        after: 5,
        oldest: 7,
        newest: 10
      })
      expect((yield* reader.events({ sessionId: s1, after: 6, limit: 9 })).map(({ cursor }) => cursor)).toEqual([
        7, 8, 9, 10
      ])
      expect(yield* session()).toEqual(before)
      yield* renames(1)
      expect((yield* events()).at(-1)?.cursor).toBe(11)
    }))

  test("P10 events are deleted by age, and messages stay", () =>
    Effect.gen(function* () {
      const { set } = yield* Now
      const { lease } = yield* createAndStart()
      const storage = yield* Storage
      yield* appendStep(lease, assistant("one"))
      yield* storage.endRun(lease, { stopReason: "completed", detail: null })
      yield* set(5_000)
      yield* renames(2)
      const kept = yield* transcript()
      const last = (yield* session()).cursor
      yield* prune({ before: 5_000 })
      expect(yield* cursors).toEqual([last - 1, last])
      expect(yield* transcript()).toEqual(kept)
    }))

  test("P10 the newest event stays, however old it is, and the session is unchanged", () =>
    Effect.gen(function* () {
      const { set } = yield* Now
      yield* create()
      yield* renames(3)
      const before = yield* session()
      yield* set(90_000)
      yield* prune({ before: 90_000, keep: 1 })
      expect(yield* cursors).toEqual([4])
      expect(yield* session()).toEqual(before)
    }))

  test("P10 events of a run that has not ended stay", () =>
    Effect.gen(function* () {
      yield* create()
      yield* renames(5)
      const { cursor } = yield* session()
      const { lease } = yield* createAndStart({ sessionId: SessionId.make("other") })
      yield* appendStep(lease, assistant("one"))
      yield* prune({ before: 50_000, keep: 1 })
      expect(yield* cursors).toEqual([cursor])
      const other = yield* events(0, SessionId.make("other"))
      expect(other.map(({ type }) => type)).toEqual(["run.started", "message.appended", "message.appended"])
    }))

  test("P10 deletion by age stops at the first event that is young enough, with or without a message", () =>
    Effect.gen(function* () {
      const { set } = yield* Now
      yield* create()
      const kinds = "RMMRRRMMMMMMMMRMRRMMMRRRRRRRRMMMMR"
      for (const [nth, kind] of kinds.split("").entries()) {
        yield* set(100_000 * (nth + 1))
        yield* kind === "R" ? renames(1) : append(s1, [userText(`message ${nth}`)])
      }
      for (let nth = 0; nth < kinds.length; nth++) {
        yield* prune({ before: 100_000 * (nth + 1) })
        expect((yield* cursors)[0]).toBe(nth + 2)
      }
    }))

  test("P10 every session is pruned, and a session with many events loses all that are due", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      yield* create()
      const storage = yield* Storage
      const many = Array.from({ length: 420 }, (_, nth) => SessionId.make(`n${nth}`))
      const together = { concurrency: "unbounded", discard: true } as const
      // Four events each.
      for (let nth = 0; nth < 275; nth++) {
        yield* storage.patch(s1, {
          title: `Title ${nth}`,
          model: { provider: "p", model: `m${nth}` },
          agent: `a${nth}`,
          workdir: `/${nth}`
        })
      }
      yield* Effect.forEach(many, (id) => create({ id }), together)
      yield* Effect.forEach(many, (id) => storage.patch(id, { title: "renamed" }), together)
      yield* prune({ keep: 1 })
      expect(yield* cursors).toEqual([1_101])
      yield* Effect.forEach(
        many,
        (sessionId) =>
          Effect.map(reader.events({ sessionId, after: 0, limit: 9 }), (events) =>
            expect(events).toMatchObject([{ type: "session.renamed" }])
          ),
        together
      )
    }))

  test("P10 sessions that were pruned since the given time lose nothing", () =>
    Effect.gen(function* () {
      const { set } = yield* Now
      yield* create()
      yield* renames(3)
      yield* set(2_000)
      yield* prune({ keep: 3 })
      yield* prune({ keep: 1, since: 2_000 })
      expect(yield* cursors).toEqual([2, 3, 4])
      yield* prune({ keep: 1, since: 2_001 })
      expect(yield* cursors).toEqual([4])
    }))

  test("P10 a prune while the clock was ahead does not keep later prunes from deleting", () =>
    Effect.gen(function* () {
      const { set } = yield* Now
      yield* create()
      yield* renames(3)
      yield* set(90_000_000)
      yield* prune({ keep: 3 })
      yield* set(2_000)
      yield* prune({ keep: 1, since: 1_000 })
      expect(yield* cursors).toEqual([4])
    }))
}
