import { expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { AssetId } from "../../../../src/domain/Asset.js"
import { AssetFiles } from "../../../../src/services/assets/AssetFiles.js"
import * as AssetNames from "../../../../src/services/assets/AssetNames.js"
import { Assets } from "../../../../src/services/assets/Assets.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import * as Long from "../../../support/Long.js"
import {
  a1,
  assetsOf,
  contents,
  create,
  destroy,
  moments,
  other,
  Probe,
  s1,
  s2,
  save,
  self,
  stopAt,
  type Test,
  text,
  write
} from "./fixture.js"

const day = 24 * 60 * 60 * 1000

const sweep = Effect.flatMap(Assets, (assets) => assets.sweep)

/** Leaves a file in a folder without a row that names it. */
const leave = (folder: string, file: string) =>
  Effect.gen(function* () {
    const files = yield* AssetFiles
    const upload = { folder, marker: ".left.upload" }
    yield* files.begin(upload)
    yield* write(files, upload, "left")
    yield* files.place(upload, file)
    yield* files.end(upload)
  })

const rowless = AssetNames.file({
  id: a1,
  sessionId: s1,
  name: null,
  mediaType: "text/plain",
  size: 4,
  sha256: "0".repeat(64),
  createdAt: 5
})

/** Two moments of a save: a sweep begins at the first, and goes on at the second. */
const pairs = moments.flatMap((from, at) => moments.slice(at + 1).map((to) => [from, to] as const))

/** In memory all pairs are tried; elsewhere each takes ten times as long, and only `npm run test:long` tries all. */
export const sweepTests = (test: Test, inMemory: boolean) => {
  for (const moment of moments) {
    test(`a sweep leaves alone a save that is stopped ${moment} while its engine may live`, () =>
      Effect.gen(function* () {
        const gate = yield* stopAt(moment)
        const fiber = yield* Effect.fork(save({ id: a1 }))
        yield* gate.reached
        expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
        yield* (yield* Probe).declare("self", "unknown")
        expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
        yield* gate.release
        const asset = yield* Fiber.join(fiber)
        expect(text(yield* (yield* Assets).bytes(s1, a1))).toBe("content")
        expect(yield* contents).toEqual({ s1: [AssetNames.file(asset)] })
      }))

    test(`P11 no leftovers: a sweep after a process was killed ${moment} leaves a whole asset or nothing`, () =>
      Effect.gen(function* () {
        const reached = yield* Deferred.make<void>()
        yield* (yield* Probe).at(moment, Effect.zipRight(Deferred.succeed(reached, undefined), Effect.never))
        yield* Effect.forkDaemon(save({ id: a1 }))
        yield* Deferred.await(reached)
        yield* (yield* Probe).declare("self", "dead")
        yield* sweep
        const assets = yield* assetsOf(s1)
        const isStored = ["after row", "before end", "after end"].includes(moment)
        expect(assets.map(({ id }) => id)).toEqual(isStored ? [a1] : [])
        expect(yield* contents).toEqual(isStored ? { s1: assets.map(AssetNames.file) } : {})
        if (isStored) expect(text(yield* (yield* Assets).bytes(s1, a1))).toBe("content")
        expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
      }))
  }

  for (const [look, turn] of [
    ["entries", "first"],
    ["entries", "second"],
    ["rows", "first"]
  ] as const) {
    test(`a sweep overtaken by a save after its ${turn} read of ${look} leaves the asset whole`, () =>
      Effect.gen(function* () {
        const assets = yield* Assets
        yield* save({ content: "keeps the folder" })
        for (const [from, to] of inMemory ? pairs : Long.some(pairs, 8)) {
          const id = AssetId.make(`${from} ${to}`.replaceAll(" ", "-"))
          const paused = yield* stopAt(`after ${look}`, turn)
          const [start, stop] = [yield* stopAt(from), yield* stopAt(to)]
          const saving = yield* Effect.fork(save({ id }))
          yield* start.reached
          const sweeping = yield* Effect.fork(assets.sweep)
          // A living save keeps the sweep from reading the rows at all.
          yield* Effect.raceFirst(paused.reached, Fiber.await(sweeping))
          yield* start.release
          yield* stop.reached
          yield* paused.release
          expect(yield* Fiber.join(sweeping)).toEqual({ uploads: 0, files: 0 })
          yield* stop.release
          yield* Fiber.join(saving)
          expect(text(yield* assets.bytes(s1, id))).toBe("content")
          yield* (yield* Probe).reset
        }
      }))
  }

  test("P11 no leftovers: a file without a row is removed, a file with a row stays", () =>
    Effect.gen(function* () {
      const kept = yield* save()
      yield* leave("s1", rowless)
      expect(yield* sweep).toEqual({ uploads: 0, files: 1 })
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
    }))

  test("P11 no leftovers: the folder of a session that can no longer be found is removed", () =>
    Effect.gen(function* () {
      yield* save()
      const storage = yield* Storage
      yield* storage.beginDelete(s1)
      yield* storage.hide(s1)
      expect(yield* sweep).toEqual({ uploads: 0, files: 1 })
      expect(yield* contents).toEqual({})
    }))

  test("P11 no leftovers: a session whose deletion has only begun keeps its files", () =>
    Effect.gen(function* () {
      const kept = yield* save()
      yield* (yield* Storage).beginDelete(s1)
      expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
      expect(yield* contents).toEqual({ s1: [AssetNames.file(kept)] })
    }))

  test("one engine's death does not touch another's save", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles
      yield* leave("s1", rowless)
      yield* files.begin({ folder: "s1", marker: AssetNames.marker("upl_dead", other) })
      yield* files.begin({ folder: "s1", marker: AssetNames.marker("upl_living", self) })
      yield* (yield* Probe).declare("other", "dead")
      expect(yield* sweep).toEqual({ uploads: 1, files: 0 })
      expect(yield* files.entries("s1")).toEqual(
        expect.arrayContaining([AssetNames.marker("upl_living", self), rowless])
      )
      yield* (yield* Probe).declare("self", "dead")
      expect(yield* sweep).toEqual({ uploads: 1, files: 1 })
      expect(yield* contents).toEqual({})
    }))

  test("P11 no leftovers: a save is given up after a day, not before, if its engine's life is unknown", () =>
    Effect.gen(function* () {
      const probe = yield* Probe
      const gate = yield* stopAt("after place")
      const saving = yield* Effect.fork(Effect.exit(save({ id: a1 })))
      yield* gate.reached
      yield* probe.age(day - 60_000)
      yield* probe.declare("self", "unknown")
      expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
      yield* probe.age(day)
      yield* probe.declare("self", "alive")
      expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
      yield* probe.declare("self", "unknown")
      expect(yield* sweep).toEqual({ uploads: 1, files: 1 })
      yield* gate.release
      // The save goes on after all, and finds that it was given up.
      expect(Exit.isFailure(yield* Fiber.join(saving))).toBe(true)
      expect(yield* assetsOf(s1)).toEqual([])
      expect(yield* contents).toEqual({})
    }))

  test("P11 no leftovers: the folder with which a killed process read the disk's clock is removed", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles
      const upload = { folder: ".now-left", marker: ".left.upload" }
      yield* files.begin(upload)
      yield* files.end(upload)
      yield* sweep
      expect(yield* files.folders).toEqual([])
    }))

  test("files and folders with other names are left alone, and so is a marker that cannot be read", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles
      yield* leave("s1", "notes.txt")
      yield* leave("Other Folder", rowless)
      yield* files.begin({ folder: "s2", marker: ".from-another-version.upload" })
      yield* leave("s2", rowless)
      const before = yield* contents
      expect(yield* sweep).toEqual({ uploads: 0, files: 0 })
      expect(yield* contents).toEqual(before)
    }))

  test("a row that cannot be read keeps its session's files, and other sessions are swept", () =>
    Effect.gen(function* () {
      yield* create(s2)
      yield* leave("s1", rowless)
      yield* leave("s2", rowless)
      yield* (yield* Probe).damage(s1)
      expect(yield* sweep).toEqual({ uploads: 0, files: 1 })
      expect(yield* contents).toEqual({ s1: [rowless] })
    }))

  test("a deletion and sweeps at the same time leave nothing", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(["a", "b", "c"], (content) => save({ content, id: AssetId.make(content) }))
      yield* Effect.all([destroy(s1), sweep, sweep], { concurrency: "unbounded" })
      expect(yield* contents).toEqual({})
    }))
}
