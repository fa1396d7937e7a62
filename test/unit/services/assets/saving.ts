import { expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { AssetId } from "../../../../src/domain/Asset.js"
import { OutcomeUnknown, StorageFailed } from "../../../../src/domain/SkeinError.js"
import { FilesFailed } from "../../../../src/services/assets/AssetFiles.js"
import * as AssetNames from "../../../../src/services/assets/AssetNames.js"
import * as Pictures from "../../../support/fixtures/pictures.js"
import { Assets } from "../../../../src/services/assets/Assets.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import {
  a1,
  assetsOf,
  bytes,
  contents,
  create,
  destroy,
  interruptAt,
  moments,
  Probe,
  refused,
  s1,
  s2,
  save,
  stopAt,
  type Test,
  text
} from "./fixture.js"

/** Checks that nothing of the session is on disk or in the rows. */
const expectNothing = Effect.gen(function* () {
  expect(yield* contents).toEqual({})
  expect(yield* assetsOf(s1)).toEqual([])
})

const full = new FilesFailed({ missing: false, detail: "ENOSPC: no space left on device" })

export const savingTests = (test: Test) => {
  keepTests(test)
  stopTests(test)
  refusalTests(test)
  deletionTests(test)
}

const keepTests = (test: Test) => {
  test("saved content can be read, and its row has the size and the digest", () =>
    Effect.gen(function* () {
      const assets = yield* Assets
      const asset = yield* save({ content: "abc" })
      expect(asset).toEqual({
        id: asset.id,
        sessionId: s1,
        name: "notes.txt",
        mediaType: "text/plain",
        size: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        createdAt: 0
      })
      expect(asset.id).toMatch(/^ast_[a-z2-7]{26}$/)
      expect(text(yield* assets.bytes(s1, asset.id))).toBe("abc")
      expect(yield* assetsOf(s1)).toEqual([asset])
      expect(yield* contents).toEqual({ s1: [AssetNames.file(asset)] })
    }))

  test("P8 a row is committed after its file is in place, and no file is touched meanwhile", () =>
    Effect.gen(function* () {
      yield* save()
      expect(yield* (yield* Probe).steps).toEqual([
        "begin",
        "create",
        "append",
        "append",
        "sync",
        "place",
        "row",
        "end"
      ])
    }))

  test("empty content can be saved", () =>
    Effect.gen(function* () {
      const asset = yield* save({ content: "" })
      expect(asset).toMatchObject({ size: 0 })
      expect(yield* (yield* Assets).bytes(s1, asset.id)).toEqual(new Uint8Array(0))
    }))

  test("a large piece is written in smaller pieces", () =>
    Effect.gen(function* () {
      const assets = yield* Assets
      const large = Uint8Array.from({ length: 600_000 }, (_, index) => index % 251)
      const asset = yield* assets.save({
        sessionId: s1,
        name: null,
        mediaType: "application/octet-stream",
        content: Stream.make(large)
      })
      expect(yield* (yield* Probe).written).toEqual([262_144, 262_144, 75_712])
      expect(Buffer.compare(yield* assets.bytes(s1, asset.id), large)).toBe(0)
    }))

  test("saving the same content under the same id returns the existing asset", () =>
    Effect.gen(function* () {
      const first = yield* save({ id: a1 })
      expect(yield* save({ id: a1 })).toEqual(first)
      expect(yield* assetsOf(s1)).toEqual([first])
      expect(yield* contents).toEqual({ s1: [AssetNames.file(first)] })
    }))

  test("P12 clear refusal: other content under an existing id is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const first = yield* save({ id: a1 })
      expect(yield* refused(save({ id: a1, content: "changed" }))).toEqual({
        _tag: "InvalidInput",
        field: "id",
        limit: "not that of an asset with other content",
        actual: a1
      })
      expect(text(yield* (yield* Assets).bytes(s1, a1))).toBe("content")
      expect(yield* contents).toEqual({ s1: [AssetNames.file(first)] })
    }))

  for (const content of ["content", "changed"]) {
    test(`a save overtaken by one of "${content}" under the same id ends as if it came second`, () =>
      Effect.gen(function* () {
        const probe = yield* Probe
        const reached = yield* Deferred.make<void>()
        const released = yield* Deferred.make<void>()
        const constraint = new StorageFailed({ operation: "saveAsset", code: "SQLITE_CONSTRAINT_PRIMARYKEY" })
        yield* probe.at(
          "before row",
          Effect.zipRight(Deferred.succeed(reached, undefined), Effect.zipRight(Deferred.await(released), constraint))
        )
        const late = yield* Effect.fork(Effect.exit(save({ id: a1 })))
        yield* Deferred.await(reached)
        const first = yield* save({ id: a1, content })
        yield* Deferred.succeed(released, undefined)
        const exit = yield* Fiber.join(late)
        if (content === "content") expect(exit).toEqual(Exit.succeed(first))
        else expect(exit).toMatchObject({ cause: { error: { _tag: "InvalidInput", field: "id" } } })
        expect(yield* assetsOf(s1)).toEqual([first])
        expect(text(yield* (yield* Assets).bytes(s1, a1))).toBe(content)
      }))
  }

  test("simultaneous saves in one session do not disturb each other", () =>
    Effect.gen(function* () {
      const saved = yield* Effect.forEach(["one", "two", "three"], (content) => save({ content }), {
        concurrency: "unbounded"
      })
      const assets = yield* Assets
      const read = yield* Effect.forEach(saved, ({ id }) => Effect.map(assets.bytes(s1, id), text))
      expect(read).toEqual(["one", "two", "three"])
    }))
}

const stopTests = (test: Test) => {
  for (const moment of moments) {
    const isStored = ["after row", "before end", "after end"].includes(moment)
    test(`P11 no leftovers: a save interrupted ${moment} leaves ${isStored ? "a whole asset" : "nothing"}`, () =>
      Effect.gen(function* () {
        const gate = yield* stopAt(moment)
        const fiber = yield* Effect.fork(save())
        yield* gate.reached
        expect(Exit.isInterrupted(yield* interruptAt(fiber, gate))).toBe(true)
        if (!isStored) return yield* expectNothing
        const [asset, ...rest] = yield* assetsOf(s1)
        expect(rest).toEqual([])
        if (asset === undefined) return yield* Effect.dieMessage("the row is missing")
        expect(text(yield* (yield* Assets).bytes(s1, asset.id))).toBe("content")
        expect(yield* contents).toEqual({ s1: [AssetNames.file(asset)] })
      }))
  }

  test("P11 no leftovers: a save interrupted while it waits for content leaves nothing", () =>
    Effect.gen(function* () {
      const gate = yield* stopAt("after append")
      const fiber = yield* Effect.fork(
        (yield* Assets).save({
          sessionId: s1,
          name: null,
          mediaType: "text/plain",
          content: Stream.concat(Stream.make(bytes("abc")), Stream.never)
        })
      )
      yield* gate.reached
      yield* gate.release
      yield* Fiber.interrupt(fiber)
      yield* expectNothing
    }))

  for (const step of ["begin", "create", "append", "sync", "place"] as const) {
    for (const moment of [`before ${step}`, `after ${step}`] as const) {
      // After this step, only failures that the step itself undoes are possible.
      if (moment === "after place") continue
      test(`P11 no leftovers: a disk failure ${moment} fails the save, which leaves nothing`, () =>
        Effect.gen(function* () {
          yield* (yield* Probe).at(moment, full)
          expect(yield* refused(save({ id: a1 }))).toEqual({
            _tag: "AssetFailed",
            sessionId: s1,
            assetId: a1,
            operation: "write",
            detail: "ENOSPC: no space left on device"
          })
          yield* expectNothing
        }))
    }
  }

  test("P11 no leftovers: a save fails with its content's failure, and leaves nothing", () =>
    Effect.gen(function* () {
      const failing = (yield* Assets).save({
        sessionId: s1,
        name: null,
        mediaType: "text/plain",
        content: Stream.concat(Stream.make(bytes("abc")), Stream.fail({ _tag: "Broken" as const }))
      })
      expect(yield* refused(failing)).toEqual({ _tag: "Broken" })
      yield* expectNothing
    }))

  test("P11 no leftovers: a save whose content dies leaves nothing", () =>
    Effect.gen(function* () {
      const dying = (yield* Assets).save({
        sessionId: s1,
        name: null,
        mediaType: "text/plain",
        content: Stream.concat(Stream.make(bytes("abc")), Stream.die("broken"))
      })
      expect(Exit.isFailure(yield* Effect.exit(dying))).toBe(true)
      yield* expectNothing
    }))

  test("P11 no leftovers: a refused row removes the file and the empty folder", () =>
    Effect.gen(function* () {
      yield* (yield* Probe).at("before row", new StorageFailed({ operation: "saveAsset", code: "SQLITE_FULL" }))
      expect(yield* refused(save())).toMatchObject({ _tag: "StorageFailed", code: "SQLITE_FULL" })
      yield* expectNothing
    }))

  test("a refused row removes its own file only", () =>
    Effect.gen(function* () {
      const kept = yield* save({ content: "kept" })
      yield* (yield* Probe).at("before row", new StorageFailed({ operation: "saveAsset", code: "SQLITE_FULL" }))
      yield* refused(save())
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
    }))

  for (const moment of ["before row", "after row"] as const) {
    test(`a row of unknown outcome keeps its file until its engine is dead (${moment})`, () =>
      Effect.gen(function* () {
        const probe = yield* Probe
        const assets = yield* Assets
        yield* probe.at(moment, new OutcomeUnknown({ operation: "saveAsset", code: "SQLITE_IOERR_FSYNC" }))
        expect(yield* refused(save({ id: a1 }))).toMatchObject({ _tag: "OutcomeUnknown" })
        const before = yield* contents
        expect(before["s1"]).toContain("marker")
        expect(before["s1"]).toHaveLength(2)
        expect(yield* assets.sweep).toEqual({ uploads: 0, files: 0 })
        expect(yield* contents).toEqual(before)
        yield* probe.declare("self", "dead")
        const isStored = moment === "after row"
        expect(yield* assets.sweep).toEqual({ uploads: 1, files: isStored ? 0 : 1 })
        if (!isStored) return yield* expectNothing
        expect(text(yield* assets.bytes(s1, a1))).toBe("content")
      }))
  }
}

const png = Pictures.png(3, 4)

const refusalTests = (test: Test) => {
  const saveAs = (mediaType: string, content: Stream.Stream<Uint8Array>, name: string | null = null) =>
    Effect.flatMap(Assets, (assets) => assets.save({ sessionId: s1, name, mediaType, content }))

  test(
    "P12 clear refusal: content past the limit is refused, and no more than the limit is ever written",
    () =>
      Effect.gen(function* () {
        const content = Stream.repeatValue(bytes("abc"))
        expect(yield* refused(saveAs("text/plain", content))).toEqual({
          _tag: "InvalidInput",
          field: "content",
          limit: "at most 10 bytes",
          actual: "12 bytes or more"
        })
        expect(yield* (yield* Probe).written).toEqual([3, 3, 3])
        yield* expectNothing
        expect(yield* saveAs("text/plain", Stream.make(bytes("abcde"), bytes("fghij")))).toMatchObject({ size: 10 })
      }),
    { assetBytes: 10 }
  )

  test("P12 clear refusal: content that contradicts its image type is refused before it is written", () =>
    Effect.gen(function* () {
      const one = Stream.fromIterable(png).pipe(Stream.map((byte) => Uint8Array.of(byte)))
      expect(yield* saveAs("image/png", one)).toMatchObject({ size: png.length })
      expect(yield* refused(saveAs("image/gif", Stream.make(png)))).toEqual({
        _tag: "InvalidInput",
        field: "content",
        limit: "content of type image/gif",
        actual: "image/png"
      })
      expect(yield* (yield* Probe).written).toEqual(Array.from(png, () => 1))
      expect(yield* assetsOf(s1)).toHaveLength(1)
    }))

  test("P12 clear refusal: an image that ends before its signature is refused", () =>
    Effect.gen(function* () {
      expect(yield* refused(saveAs("image/png", Stream.make(png.subarray(0, 7))))).toMatchObject({
        field: "content",
        actual: "other content"
      })
      yield* expectNothing
    }))

  test(
    "P12 clear refusal: media type and name are checked before anything is touched",
    () =>
      Effect.gen(function* () {
        const content = Stream.make(bytes("abc"))
        expect(yield* refused(saveAs("text/plain", content))).toEqual({
          _tag: "InvalidInput",
          field: "mediaType",
          limit: "one of image/*, application/pdf",
          actual: "text/plain"
        })
        expect(yield* refused(saveAs("Image/PNG", content))).toMatchObject({ field: "mediaType", actual: "Image/PNG" })
        expect(yield* refused(saveAs("application/pdf", content, ""))).toMatchObject({ field: "name" })
        expect(yield* (yield* Probe).steps).toEqual([])
        yield* saveAs("application/pdf", content)
        yield* saveAs("image/svg+xml", content)
      }),
    { assetTypes: ["image/*", "application/pdf"] }
  )

  test("P12 clear refusal: a save in an unknown session touches no file", () =>
    Effect.gen(function* () {
      expect(yield* refused(save({ sessionId: s2 }))).toEqual({ _tag: "SessionNotFound", sessionId: s2 })
      expect(yield* (yield* Probe).steps).toEqual([])
    }))
}

const deletionTests = (test: Test) => {
  test("P11 no leftovers: a session that is being deleted takes no asset", () =>
    Effect.gen(function* () {
      yield* (yield* Storage).beginDelete(s1)
      expect(yield* refused(save())).toEqual({ _tag: "SessionDeleting", sessionId: s1 })
      yield* expectNothing
    }))

  for (const moment of moments.slice(0, -2)) {
    test(`P11 no leftovers: a session deleted ${moment} of a save leaves nothing`, () =>
      Effect.gen(function* () {
        const gate = yield* stopAt(moment)
        const fiber = yield* Effect.fork(save())
        yield* gate.reached
        yield* destroy(s1)
        yield* gate.release
        expect(yield* refused(Fiber.join(fiber))).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
        expect(yield* contents).toEqual({})
      }))

    test(`a save ${moment === "before begin" ? "succeeds" : "fails"} in a new session of its id after the old one was deleted (${moment})`, () =>
      Effect.gen(function* () {
        const gate = yield* stopAt(moment)
        const fiber = yield* Effect.fork(save({ id: AssetId.make("old") }))
        yield* gate.reached
        yield* destroy(s1)
        yield* create(s1)
        yield* gate.release
        const exit = yield* Fiber.await(fiber)
        const assets = yield* (yield* StorageReader).assets(s1)
        // Only a save that has done nothing yet may take the new session for the old one.
        if (moment === "before begin") expect(Exit.isSuccess(exit)).toBe(true)
        else expect(Exit.isFailure(exit)).toBe(true)
        expect(assets.map(({ id }) => id)).toEqual(moment === "before begin" ? ["old"] : [])
        expect(Object.values(yield* contents).flat()).toHaveLength(assets.length)
      }))
  }
}
