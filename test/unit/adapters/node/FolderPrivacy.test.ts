import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as FolderCreation from "../../../../src/adapters/node/FolderCreation.js"
import * as FolderPrivacy from "../../../../src/adapters/node/FolderPrivacy.js"
import { StorageUnusable } from "../../../../src/domain/SkeinError.js"
import * as Machine from "../../../campaigns/faults/Machine.js"
import { folder } from "../../services/storage/disk.js"

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

const populated = Effect.gen(function* () {
  const data = join(yield* folder, "data")
  mkdirSync(join(data, "assets"), { recursive: true })
  for (const name of ["skein.db", "skein.db-wal", "skein.db-shm"]) writeFileSync(join(data, name), "")
  for (const name of ["", ...readdirSync(data)]) chmodSync(join(data, name), 0o755)
  return data
})

describe("FolderPrivacy", () => {
  it.scoped("closes a folder that others can read, and its contents", () =>
    Effect.gen(function* () {
      const data = yield* populated
      FolderPrivacy.ensure(data)
      for (const name of ["", ...readdirSync(data)]) expect([name, mode(join(data, name))]).toEqual([name, "700"])
    })
  )

  it.scoped("leaves a folder that also holds other files open, but closes Skein's own files", () =>
    Effect.gen(function* () {
      const data = yield* populated
      writeFileSync(join(data, "notes.txt"), "", { mode: 0o644 })
      FolderPrivacy.ensure(data)
      expect([mode(data), mode(join(data, "notes.txt"))]).toEqual(["755", "644"])
      expect(mode(join(data, "skein.db"))).toBe("700")
    })
  )

  Machine.withNobody("refuses an open file or folder of another user by its path, and leaves it as it was", () =>
    Effect.gen(function* () {
      for (const name of ["", "skein.db", "assets"]) {
        const path = join(yield* populated, name)
        chownSync(path, 12_345, 12_345)
        const data = name === "" ? path : join(path, "..")
        const error = yield* Effect.flip(
          Effect.try({ try: () => FolderPrivacy.ensure(data), catch: (thrown) => thrown })
        )
        expect(error).toBeInstanceOf(StorageUnusable)
        expect(error).toMatchObject({ path, reason: "no-access" })
        expect(String(error)).toContain("12345")
        expect(mode(path)).toBe("755")
        chmodSync(path, 0o700)
        FolderPrivacy.ensure(data)
      }
    })
  )

  it.scoped("creates nothing", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "none")
      FolderPrivacy.ensure(data)
      expect(statSync(data, { throwIfNoEntry: false })).toBe(undefined)
    })
  )
})

describe("FolderCreation", () => {
  it.scoped("creates missing folders, private to their owner, and accepts existing ones", () =>
    Effect.gen(function* () {
      const root = yield* folder
      chmodSync(root, 0o755)
      const path = join(root, "a", "b", "c")
      FolderCreation.make(path)
      FolderCreation.make(path)
      expect([mode(path), mode(join(root, "a")), mode(root)]).toEqual(["700", "700", "755"])
    })
  )

  it.scoped("throws the system's error below a file, and below /proc", () =>
    Effect.gen(function* () {
      const root = yield* folder
      writeFileSync(join(root, "file"), "")
      expect(() => FolderCreation.make(join(root, "file"))).toThrow("EEXIST")
      expect(() => FolderCreation.make(join(root, "file", "a"))).toThrow("ENOTDIR")
      expect(() => FolderCreation.make("/proc/none/a")).toThrow("ENOENT")
    })
  )
})
