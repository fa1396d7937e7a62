/** The promises of assets: a content comes back as it was saved, in whatever pieces, under its hash. */
import { Effect, Exit, FastCheck, Fiber, Stream } from "effect"
import { createHash } from "node:crypto"
import { AssetId } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import { Assets } from "../../../services/assets/Assets.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import { a1, create, refused, s1, s2 } from "./fixture.js"
import type { Test, TestedServices } from "./StorageTest.js"
import { expect } from "./Vitest.js"

export type WithAssets = TestedServices | Assets

const save = <E = never>(
  content: Stream.Stream<Uint8Array, E>,
  fields: { readonly id?: AssetId; readonly sessionId?: SessionId } = {}
) =>
  Effect.flatMap(Assets, (assets) =>
    assets.save({ sessionId: s1, name: "notes.bin", mediaType: "application/octet-stream", content, ...fields })
  )

const text = (content: string) => Stream.make(new TextEncoder().encode(content))

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** A content, and the positions at which it is cut into pieces. */
const Cut = FastCheck.tuple(
  FastCheck.uint8Array({ maxLength: 5_000, size: "max" }),
  FastCheck.array(FastCheck.nat(5_000), { maxLength: 6 })
).map(([content, at]) => {
  const cuts = [0, ...at.map((place) => place % (content.length + 1)).toSorted((one, other) => one - other)]
  return { content, pieces: cuts.map((from, index) => content.slice(from, cuts[index + 1])) }
})

const read = (id: AssetId, range: { readonly offset?: number; readonly length?: number } = {}) =>
  Effect.flatMap(Assets, (assets) =>
    Stream.runFold(assets.open({ sessionId: s1, assetId: id, ...range }), "", (hex, piece) => hex + toHex(piece))
  )

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

export const contentTests = (test: Test<WithAssets>) => {
  test("P2 seen means stored: content is read back byte for byte, with its size and hash, however it was cut", () =>
    Effect.gen(function* () {
      yield* create()
      const assets = yield* Assets
      for (const { content, pieces } of FastCheck.sample(Cut, 20)) {
        const asset = yield* save(Stream.fromIterable(pieces))
        expect(asset).toMatchObject({ sessionId: s1, size: content.length, sha256: hash(content) })
        expect(yield* (yield* StorageReader).asset(s1, asset.id)).toEqual(asset)
        expect(yield* read(asset.id)).toBe(toHex(content))
        expect(hash(yield* assets.bytes(s1, asset.id))).toBe(asset.sha256)
      }
    }))

  test("P2 seen means stored: reading a range of an asset returns exactly those bytes", () =>
    Effect.gen(function* () {
      yield* create()
      for (const { content, pieces } of FastCheck.sample(Cut, 20)) {
        const { id } = yield* save(Stream.fromIterable(pieces))
        const offset = Math.floor(content.length / 3)
        const length = Math.ceil(content.length / 2)
        expect(yield* read(id, { offset })).toBe(toHex(content.subarray(offset)))
        expect(yield* read(id, { offset, length })).toBe(toHex(content.subarray(offset, offset + length)))
      }
    }))

  test("P2 seen means stored: contents that are saved concurrently stay apart", () =>
    Effect.gen(function* () {
      yield* create()
      const cuts = FastCheck.sample(Cut, 8)
      const saved = yield* Effect.forEach(cuts, ({ pieces }) => save(Stream.fromIterable(pieces)), {
        concurrency: "unbounded"
      })
      const back = yield* Effect.forEach(saved, ({ id }) => read(id), { concurrency: "unbounded" })
      expect(back).toEqual(cuts.map(({ content }) => toHex(content)))
    }))

  test("P5 at most once: saving the same content under the same id returns the existing asset", () =>
    Effect.gen(function* () {
      yield* create()
      const first = yield* save(text("content"), { id: a1 })
      expect(yield* save(text("content"), { id: a1 })).toEqual(first)
      expect(yield* (yield* StorageReader).assets(s1)).toEqual([first])
    }))

  test("P12 clear refusal: saving other content under an existing id is refused and changes nothing", () =>
    Effect.gen(function* () {
      yield* create()
      const first = yield* save(text("content"), { id: a1 })
      expect(yield* refused(save(text("changed"), { id: a1 }))).toMatchObject({ _tag: "InvalidInput", field: "id" })
      expect(yield* (yield* StorageReader).assets(s1)).toEqual([first])
      expect(yield* read(a1)).toBe(toHex(new TextEncoder().encode("content")))
    }))

  test("P12 clear refusal: an impossible range is refused", () =>
    Effect.gen(function* () {
      yield* create()
      yield* save(text("content"), { id: a1 })
      expect(yield* refused(read(a1, { offset: 8 }))).toMatchObject({ _tag: "InvalidInput", field: "offset" })
      expect(yield* refused(read(a1, { length: -1 }))).toMatchObject({ _tag: "InvalidInput", field: "length" })
    }))

  test("P11 no leftovers: a save that fails or is interrupted halfway leaves no asset", () =>
    Effect.gen(function* () {
      yield* create()
      const broken = Stream.concat(text("half"), Stream.fail({ _tag: "Broken" as const }))
      expect(yield* refused(save(broken, { id: a1 }))).toEqual({ _tag: "Broken" })
      const endless = yield* Effect.fork(save(Stream.concat(text("half"), Stream.never), { id: a1 }))
      yield* Effect.yieldNow()
      expect(Exit.isInterrupted(yield* Fiber.interrupt(endless))).toBe(true)
      expect(yield* (yield* StorageReader).assets(s1)).toEqual([])
      expect(yield* refused(read(a1))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
      yield* save(text("whole"), { id: a1 })
      expect(yield* (yield* Assets).sweep).toEqual({ uploads: 0, files: 0 })
    }))

  test("P11 no leftovers: a removed asset is gone, and only that one", () =>
    Effect.gen(function* () {
      yield* create()
      const assets = yield* Assets
      yield* save(text("one"), { id: a1 })
      const kept = yield* save(text("two"))
      yield* assets.remove(s1, a1)
      expect(yield* refused(assets.bytes(s1, a1))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
      expect(yield* read(kept.id)).toBe(toHex(new TextEncoder().encode("two")))
    }))

  test("P7 delete: a session that is missing or being deleted accepts no content", () =>
    Effect.gen(function* () {
      yield* create()
      yield* (yield* Storage).beginDelete(s1)
      expect(yield* refused(save(text("late")))).toEqual({ _tag: "SessionDeleting", sessionId: s1 })
      expect(yield* refused(save(text("late"), { sessionId: s2 }))).toEqual({
        _tag: "SessionNotFound",
        sessionId: s2
      })
    }))
}
