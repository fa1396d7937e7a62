import { Effect } from "effect"
import { AssetId } from "../../../domain/Asset.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  a1,
  asset,
  create,
  createAndStart,
  transcriptLines,
  refused,
  s1,
  s2,
  session,
  start,
  eventLines
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const a2 = AssetId.make("a2")

export const assetTests = (test: Test) => {
  test("P2 assets are stored as given and listed oldest first", () =>
    Effect.gen(function* () {
      yield* create()
      yield* (yield* Now).set(2_000)
      const storage = yield* Storage
      const reader = yield* StorageReader
      expect(yield* storage.saveAsset(asset({ id: a2, name: null }))).toEqual(asset({ id: a2, name: null }))
      yield* storage.saveAsset(asset({ createdAt: 10 }))
      expect(yield* reader.asset(s1, a2)).toEqual(asset({ id: a2, name: null }))
      expect((yield* reader.assets(s1)).map(({ id }) => id)).toEqual([a2, a1])
      expect(yield* eventLines(1)).toEqual(["asset.saved a2", "asset.saved a1"])
      expect(yield* session()).toMatchObject({ cursor: 3, updatedAt: 2_000 })
    }))

  test("P11 a deleted asset is gone; the messages that name it stay", () =>
    Effect.gen(function* () {
      yield* create()
      const storage = yield* Storage
      yield* storage.saveAsset(asset())
      yield* start({ message: { role: "user", parts: [{ type: "file", assetId: a1, mediaType: "image/png" }] } })
      const { cursor } = yield* session()
      expect(yield* storage.deleteAsset(s1, a1)).toEqual(asset())
      const gone = { _tag: "AssetNotFound", sessionId: s1, assetId: a1 }
      expect(yield* refused(storage.deleteAsset(s1, a1))).toEqual(gone)
      expect(yield* refused((yield* StorageReader).asset(s1, a1))).toEqual(gone)
      expect(yield* (yield* StorageReader).assets(s1)).toEqual([])
      expect(yield* eventLines(cursor)).toEqual(["asset.deleted a1"])
      expect(yield* transcriptLines()).toEqual(["1 user "])
    }))

  test("P7 an asset belongs to its session", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      yield* create({ id: s2 })
      const storage = yield* Storage
      yield* storage.saveAsset(asset())
      yield* storage.saveAsset(asset({ sessionId: s2, size: 9 }))
      yield* storage.deleteAsset(s1, a1)
      expect(yield* (yield* StorageReader).asset(s2, a1)).toMatchObject({ size: 9 })
    }))
}
