import { FileSystem, Path } from "@effect/platform"
import { SystemError } from "@effect/platform/Error"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as AssetFiles from "../../../../src/services/assets/AssetFiles.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import { Folders } from "../../../../src/services/Folders.js"
import { bytes, onDisk, temporary, write } from "./fixture.js"

const upload = { folder: "s1", marker: ".upl_a.upload" }

const permissions = (...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { stat } = yield* FileSystem.FileSystem
    const { mode } = yield* stat((yield* Path.Path).join(yield* DataDirectory, "assets", ...names))
    return (mode & 0o777).toString(8)
  })

describe("AssetFiles on disk", () => {
  const posix = process.platform === "win32" ? () => undefined : it.scoped

  posix("folders are private, and so are files from the moment they exist", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      const umask = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(umask)))
      yield* files.begin(upload)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const content = yield* files.create(upload)
          expect(yield* permissions("s1", upload.marker, "content")).toBe("600")
          yield* content.append(bytes("abc"))
          yield* content.sync
        })
      )
      yield* files.place(upload, "file")
      expect(yield* permissions("s1", "file")).toBe("600")
      for (const folder of [[], ["s1"], ["s1", upload.marker]]) expect(yield* permissions(...folder)).toBe("700")
    }).pipe(Effect.provide(onDisk))
  )

  it.scoped("placing a file moves it, then syncs its folder, then the folders above it", () =>
    Effect.gen(function* () {
      const synced: Array<readonly [folder: string, content: string]> = []
      const path = yield* Path.Path
      const { readFileString } = yield* FileSystem.FileSystem
      const data = yield* DataDirectory
      const folder = path.join(data, "assets", "s1")
      const recorded = Layer.succeed(Folders, {
        sync: (one) =>
          Effect.map(readFileString(path.join(folder, "file")), (content) => void synced.push([one, content])),
        removeEmpty: () => Effect.void
      })
      yield* Effect.gen(function* () {
        const files = yield* AssetFiles.AssetFiles
        yield* files.begin(upload)
        yield* write(files, upload, "abc")
        expect(synced).toEqual([])
        yield* files.place(upload, "file")
      }).pipe(Effect.provide(Layer.provide(AssetFiles.layer, recorded)))
      expect(yield* readFileString(path.join(folder, "file"))).toBe("abc")
      expect(synced).toEqual([folder, path.join(data, "assets"), data].map((one) => [one, "abc"]))
    }).pipe(Effect.provide(Layer.provideMerge(temporary, NodeContext.layer)))
  )

  it.scoped("a file's name is taken only once, and a failed placing leaves no file", () =>
    Effect.gen(function* () {
      const failing = Layer.succeed(Folders, {
        sync: () =>
          new SystemError({ module: "FileSystem", method: "sync", reason: "Unknown", description: "EIO: broken" }),
        removeEmpty: () => Effect.void
      })
      const begin = Effect.gen(function* () {
        const files = yield* AssetFiles.AssetFiles
        yield* files.begin(upload)
        yield* Effect.scoped(files.create(upload))
        return files
      })
      yield* Effect.gen(function* () {
        const files = yield* begin
        expect(yield* Effect.flip(files.place(upload, "file"))).toMatchObject({ missing: false, detail: "EIO: broken" })
        expect(yield* files.entries("s1")).toEqual([upload.marker])
        yield* files.end(upload)
        expect(yield* Effect.flip(files.place(upload, "file"))).toMatchObject({ missing: true })
        expect(yield* files.entries("s1")).toEqual([])
      }).pipe(Effect.provide(Layer.provide(AssetFiles.layer, failing)))
      yield* Effect.gen(function* () {
        const files = yield* begin
        expect(yield* files.place(upload, "file")).toBe(true)
        yield* Effect.scoped(files.create(upload))
        expect(yield* files.place(upload, "file")).toBe(false)
      }).pipe(Effect.provide(Layer.provide(AssetFiles.layer, NodeFolders.layer)))
    }).pipe(Effect.provide(Layer.provideMerge(temporary, NodeContext.layer)))
  )

  it.scoped("a failure contains no path of this host", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      yield* files.begin(upload)
      const error = yield* Effect.flip(files.place(upload, "file"))
      expect(error).toMatchObject({ missing: true, detail: "ENOENT: no such file or directory" })
    }).pipe(Effect.provide(onDisk))
  )

  it.scoped("a marker's age is measured by the disk's clock, from the last write under it", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const root = path.join(yield* DataDirectory, "assets")
      const marker = path.join(root, "s1", upload.marker)
      const now = Clock.make().unsafeCurrentTimeMillis()
      const days = (count: number) => now / 1000 - count * 24 * 60 * 60
      expect(yield* files.age(upload)).toBe(0)
      yield* files.begin(upload)
      yield* fs.utimes(marker, days(3), days(3))
      expect(Math.round((yield* files.age(upload)) / 36e5)).toBe(72)
      yield* Effect.scoped(files.create(upload))
      yield* fs.utimes(marker, days(3), days(3))
      expect(yield* files.age(upload)).toBeLessThan(60_000)
      yield* fs.utimes(path.join(marker, "content"), days(2), days(2))
      expect(Math.round((yield* files.age(upload)) / 36e5)).toBe(48)
      expect(yield* files.folders).toEqual(["s1"])
    }).pipe(Effect.provide(onDisk))
  )

  it.scoped("content can be created only once", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      yield* files.begin(upload)
      yield* files.create(upload)
      expect((yield* Effect.flip(files.create(upload))).detail).toContain("EEXIST")
    }).pipe(Effect.provide(onDisk))
  )

  it.scoped("a folder can always be used, even if others remove it whenever it is empty", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      const use = (index: number) =>
        Effect.gen(function* () {
          const own = { folder: "s1", marker: `.upl_${index}.upload` }
          yield* files.begin(own)
          expect(yield* files.end(own)).toBe(true)
          yield* files.removeEmpty("s1")
        }).pipe(Effect.repeatN(100))
      yield* Effect.forEach([1, 2, 3, 4], use, { concurrency: "unbounded" })
      expect(yield* files.folders).toEqual([])
    }).pipe(Effect.provide(onDisk))
  )

  it.scoped("a folder is removed only if it is empty", () =>
    Effect.gen(function* () {
      const files = yield* AssetFiles.AssetFiles
      yield* files.removeEmpty("s1")
      yield* files.begin(upload)
      yield* files.removeEmpty("s1")
      expect(yield* files.entries("s1")).toEqual([upload.marker])
      expect(yield* files.end(upload)).toBe(true)
      expect(yield* files.end(upload)).toBe(false)
      yield* files.removeEmpty("s1")
      expect(yield* files.folders).toEqual([])
      expect(yield* files.entries("s1")).toEqual([])
    }).pipe(Effect.provide(onDisk))
  )
})
