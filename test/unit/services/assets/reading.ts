import { expect } from "@effect/vitest"
import { Arbitrary, Effect, Exit, FastCheck, Fiber, Schema, Stream } from "effect"
import { AssetFiles, FilesFailed } from "../../../../src/services/assets/AssetFiles.js"
import * as AssetNames from "../../../../src/services/assets/AssetNames.js"
import { Assets } from "../../../../src/services/assets/Assets.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import {
  a1,
  assetsOf,
  contents,
  create,
  destroy,
  finishDelete,
  interruptAt,
  Probe,
  refused,
  s1,
  s2,
  save,
  stopAt,
  type Test,
  text,
  write
} from "./fixture.js"

const content = "0123456789"

const read = (range: { readonly offset?: number; readonly length?: number }) =>
  Effect.flatMap(Assets, (assets) =>
    assets.open({ sessionId: s1, assetId: a1, ...range }).pipe(Stream.decodeText(), Stream.mkString)
  )

const Ranges = Arbitrary.make(
  Schema.Struct({
    offset: Schema.Int.pipe(Schema.between(0, content.length)),
    length: Schema.Int.pipe(Schema.between(0, 2 * content.length))
  })
)

export const readingTests = (test: Test) => {
  test("a range returns exactly the bytes that it names", () =>
    Effect.gen(function* () {
      yield* save({ id: a1, content })
      expect(yield* read({})).toBe(content)
      expect(yield* read({ offset: 4 })).toBe("456789")
      expect(yield* read({ length: 4 })).toBe("0123")
      for (const { length, offset } of FastCheck.sample(Ranges, 50)) {
        expect(yield* read({ offset, length })).toBe(content.slice(offset, offset + length))
      }
    }))

  test("P12 clear refusal: an impossible range is refused", () =>
    Effect.gen(function* () {
      yield* save({ id: a1, content })
      expect(yield* refused(read({ offset: 11 }))).toEqual({
        _tag: "InvalidInput",
        field: "offset",
        limit: "a whole number from 0 to 10",
        actual: "11"
      })
      for (const offset of [-1, 0.5, Number.NaN]) {
        expect(yield* refused(read({ offset }))).toMatchObject({ field: "offset" })
        expect(yield* refused(read({ length: offset }))).toMatchObject({ field: "length" })
      }
    }))

  test("an asset that does not exist, or that another session has, is not found", () =>
    Effect.gen(function* () {
      const { bytes } = yield* Assets
      const missing = { _tag: "AssetNotFound", sessionId: s1, assetId: a1 }
      expect([yield* refused(read({})), yield* refused(bytes(s1, a1))]).toEqual([missing, missing])
      yield* create(s2)
      yield* save({ id: a1, sessionId: s2 })
      expect([yield* refused(read({})), yield* refused(bytes(s1, a1))]).toEqual([missing, missing])
    }))

  test("reading an asset whose file is missing fails", () =>
    Effect.gen(function* () {
      const asset = yield* save({ id: a1, content })
      yield* (yield* AssetFiles).remove({ folder: "s1", file: AssetNames.file(asset) })
      const failure = { _tag: "AssetFailed", sessionId: s1, assetId: a1, operation: "read" }
      expect(yield* refused(read({}))).toMatchObject(failure)
      expect(yield* refused((yield* Assets).bytes(s1, a1))).toMatchObject(failure)
    }))

  test("a truncated file gives the bytes that are there, then fails", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles
      const asset = yield* save({ id: a1, content })
      const upload = { folder: "s1", marker: ".upl_short.upload" }
      yield* files.begin(upload)
      yield* write(files, upload, "012")
      yield* files.remove({ folder: "s1", file: AssetNames.file(asset) })
      expect(yield* files.place(upload, AssetNames.file(asset))).toBe(true)
      const assets = yield* Assets
      let came = ""
      const reading = assets.open({ sessionId: s1, assetId: a1 }).pipe(
        Stream.decodeText(),
        Stream.runForEach((part) => Effect.sync(() => (came += part)))
      )
      expect(yield* refused(reading)).toMatchObject({ _tag: "AssetFailed", detail: "the file is cut short" })
      expect(came).toBe("012")
      expect(yield* refused(assets.bytes(s1, a1))).toMatchObject({ _tag: "AssetFailed" })
    }))
}

export const removingTests = (test: Test) => {
  test("P11 no leftovers: a removed asset leaves neither row nor file nor an empty folder", () =>
    Effect.gen(function* () {
      const assets = yield* Assets
      const kept = yield* save({ content: "kept" })
      const asset = yield* save({ id: a1 })
      expect(yield* assets.remove(s1, a1)).toEqual(asset)
      expect(yield* refused(assets.remove(s1, a1))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
      expect(yield* assetsOf(s1)).toEqual([kept])
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
      yield* assets.remove(s1, kept.id)
      expect(yield* contents).toEqual({})
    }))

  test("an asset that is removed between the reads of its row and its file is not found", () =>
    Effect.gen(function* () {
      yield* save({ id: a1 })
      const assets = yield* Assets
      const gate = yield* stopAt("before read")
      const reading = yield* Effect.fork(assets.bytes(s1, a1))
      yield* gate.reached
      yield* assets.remove(s1, a1)
      yield* gate.release
      expect(yield* refused(Fiber.join(reading))).toEqual({ _tag: "AssetNotFound", sessionId: s1, assetId: a1 })
    }))

  for (const moment of ["before deleteRow", "after deleteRow", "before remove", "after remove"] as const) {
    test(`P11 no leftovers: a removal interrupted ${moment} is complete or has not begun`, () =>
      Effect.gen(function* () {
        const asset = yield* save({ id: a1 })
        const gate = yield* stopAt(moment)
        const fiber = yield* Effect.fork((yield* Assets).remove(s1, a1))
        yield* gate.reached
        expect(Exit.isInterrupted(yield* interruptAt(fiber, gate))).toBe(true)
        const isBegun = moment !== "before deleteRow"
        expect(yield* assetsOf(s1)).toEqual(isBegun ? [] : [asset])
        expect(yield* contents).toEqual(isBegun ? {} : { s1: [AssetNames.file(asset)] })
      }))
  }

  test("a file that cannot be removed fails the removal, and is left to the sweep", () =>
    Effect.gen(function* () {
      const assets = yield* Assets
      yield* save({ id: a1 })
      yield* (yield* Probe).at("before remove", new FilesFailed({ missing: false, detail: "EIO: i/o error" }))
      expect(yield* refused(assets.remove(s1, a1))).toEqual({
        _tag: "AssetFailed",
        sessionId: s1,
        assetId: a1,
        operation: "delete",
        detail: "EIO: i/o error"
      })
      expect(yield* assetsOf(s1)).toEqual([])
      expect(yield* assets.sweep).toEqual({ uploads: 0, files: 1 })
      expect(yield* contents).toEqual({})
    }))

  test("P11 no leftovers: a deleted session's folder is removed with everything in it, and no other folder", () =>
    Effect.gen(function* () {
      yield* create(s2)
      const kept = yield* save({ sessionId: s2 })
      yield* save()
      yield* save()
      yield* destroy(s1)
      yield* (yield* Assets).removeFolder(s1)
      expect(yield* contents).toEqual({ s2: [AssetNames.file(kept)] })
      expect(text(yield* (yield* Assets).bytes(s2, kept.id))).toBe("content")
    }))

  test("removeFolder leaves the files of a session that can still be found", () =>
    Effect.gen(function* () {
      const kept = yield* save()
      yield* (yield* Storage).beginDelete(s1)
      yield* (yield* Assets).removeFolder(s1)
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
    }))

  test("a late deletion removes no files of a new session with the same id", () =>
    Effect.gen(function* () {
      const assets = yield* Assets
      const storage = yield* Storage
      yield* save({ content: "old" })
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      const gate = yield* stopAt("after entries")
      const late = yield* Effect.fork(assets.removeFolder(s1))
      yield* gate.reached
      yield* finishDelete(s1)
      yield* create(s1)
      const kept = yield* save({ content: "new" })
      yield* gate.release
      yield* Fiber.join(late)
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
      expect(text(yield* assets.bytes(s1, kept.id))).toBe("new")
    }))

  test("P11 no leftovers: a file that a save places during a deletion is removed by one of the two", () =>
    Effect.gen(function* () {
      const saving = yield* stopAt("before place")
      const row = yield* stopAt("before row")
      const save1 = yield* Effect.fork(save({ id: a1 }))
      yield* saving.reached
      const deleting = yield* stopAt("after entries")
      const deletion = yield* Effect.fork(destroy(s1))
      yield* deleting.reached
      yield* saving.release
      yield* row.reached
      yield* deleting.release
      yield* Fiber.join(deletion)
      yield* create(s1)
      yield* row.release
      expect(yield* refused(Fiber.join(save1))).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
      expect(yield* assetsOf(s1)).toEqual([])
      expect(yield* contents).toEqual({})
    }))
}
