import { Effect, Option } from "effect"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  admission,
  anyTime,
  create,
  firstEngine,
  r1,
  r2,
  r3,
  refused,
  s1,
  s2,
  secondEngine,
  session,
  start
} from "./fixture.js"
import type { Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const [placement = ""] = firstEngine.placements
const notServed = { _tag: "PlacementNotServed", sessionId: s1, placement, served: [] }

export const placementTests = (test: Test) => {
  test("a session keeps its placement, and lists, occupancies and unsettled sessions show it", () =>
    Effect.gen(function* () {
      const reader = yield* StorageReader
      expect((yield* create({ placement })).placement).toBe(placement)
      expect((yield* session()).placement).toBe(placement)
      expect((yield* reader.sessions({})).sessions.map((listed) => listed.placement)).toEqual([placement])
      yield* create({ id: s2 })
      const listed = (placement: string) =>
        Effect.map(reader.sessions({ placement }), ({ sessions }) => sessions.length)
      expect([yield* listed(placement), yield* listed("elsewhere")]).toEqual([1, 0])
      yield* start()
      yield* start({ sessionId: s2, runId: r2 })
      expect((yield* reader.occupancy(s1)).placement).toBe(placement)
      expect((yield* reader.occupancy(s2)).placement).toBeNull()
      expect((yield* reader.unsettled(anyTime)).map(({ placement, sessionId }) => [sessionId, placement])).toEqual([
        [s1, placement],
        [s2, null]
      ])
      yield* (yield* Storage).patch(s1, { workdir: "/elsewhere" })
      expect((yield* session()).placement).toBe(placement)
    }))

  test("P9 an engine that does not serve a session's placement can neither start nor queue a message in it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create({ placement })
      const before = yield* session()
      const elsewhere = admission({ presence: secondEngine, idempotencyKey: "k" })
      expect(yield* refused(storage.admit(elsewhere))).toMatchObject(notServed)
      expect(yield* session()).toEqual(before)
      expect((yield* storage.admit({ ...elsewhere, presence: firstEngine }))._tag).toBe("Started")
      // A message that was already admitted is found by any engine.
      expect(yield* storage.admit(elsewhere)).toMatchObject({ _tag: "Existing", run: { id: r1 } })
      const next = admission({ presence: secondEngine, runId: r2, whenBusy: "queue" })
      expect(yield* refused(storage.admit(next))).toMatchObject(notServed)
      expect((yield* (yield* StorageReader).activity(s1)).queued).toEqual([])
      expect((yield* storage.admit({ ...next, presence: firstEngine }))._tag).toBe("Queued")
    }))

  test("P9 an engine that does not serve a session's placement cannot resume it", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* create({ placement })
      const { lease } = yield* start()
      yield* storage.endRun(lease, { stopReason: "failed", detail: null })
      const resumption = { sessionId: s1, runId: r3, of: "newest" } as const
      expect(yield* refused(storage.resume({ ...resumption, presence: secondEngine }))).toMatchObject(notServed)
      expect(Option.isNone((yield* (yield* StorageReader).activity(s1)).holder)).toBe(true)
      expect((yield* storage.resume({ ...resumption, presence: firstEngine }))._tag).toBe("Started")
    }))
}
