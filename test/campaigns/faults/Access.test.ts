/** Folders that cannot be written, or that belong to another user. */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { AssetId } from "../../../src/domain/Asset.js"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"
import { nobody, withMounts, withNobody } from "./Machine.js"

const { s1 } = Child

withMounts("a read-only folder is refused by its path, and works once it is writable", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data)
    yield* child.get({ do: "create", session: s1 })
    yield* child.get({ do: "close" })
    const before = readFileSync(join(data, "skein.db"))
    const writable = yield* Effect.acquireRelease(
      Effect.sync(() => {
        execFileSync("mount", ["--bind", data, data])
        execFileSync("mount", ["-o", "remount,bind,ro", data])
        return () => execFileSync("mount", ["-o", "remount,bind,rw", data])
      }),
      () => Effect.sync(() => execFileSync("umount", ["-l", data]))
    )
    expect(yield* child.refused({ do: "open" })).toMatchObject({
      _tag: "StorageUnusable",
      reason: "no-access",
      path: join(data, "skein.db")
    })
    expect(Reopened.files(data)).toEqual(["skein.db"])
    expect(readFileSync(join(data, "skein.db")).equals(before)).toBe(true)
    writable()
    yield* child.get({ do: "open" })
    yield* child.get({ do: "append", session: s1, name: "a", count: 1, bytes: 10, atOnce: false })
    expect(yield* child.get({ do: "read", session: s1 })).toEqual(["a 1"])
  })
)

withNobody("another user's folders are refused as inaccessible, and work once they belong to this user", () =>
  Effect.gen(function* () {
    const root = yield* folder
    chmodSync(root, 0o755)
    const data = join(root, "data")
    const child = yield* Child.start(data, { wrapper: nobody, waits: true })
    expect(yield* child.refused({ do: "open" })).toEqual({
      _tag: "StorageUnusable",
      path: data,
      reason: "no-access",
      detail: "EACCES"
    })
    mkdirSync(data, { mode: 0o755 })
    expect(yield* child.refused({ do: "open" })).toMatchObject({ _tag: "StorageUnusable", reason: "no-access" })
    expect(Reopened.files(root)).toEqual([])
    chownSync(data, 65534, 65534)
    yield* child.get({ do: "open" })
    yield* child.get({ do: "create", session: s1 })

    const assets = join(data, "assets")
    mkdirSync(assets, { mode: 0o700 })
    const save = { do: "save", session: s1, bytes: 1000 } as const
    expect(yield* child.refused(save)).toMatchObject({
      _tag: "AssetFailed",
      operation: "write",
      detail: "EACCES: permission denied"
    })
    yield* child.get({ do: "append", session: s1, name: "a", count: 1, bytes: 10, atOnce: false })
    chownSync(assets, 65534, 65534)
    const asset = AssetId.make(String(yield* child.get(save)))
    const load = { do: "load", session: s1, asset } as const
    expect(yield* child.get(load)).toBe(1000)

    rmSync(assets, { recursive: true })
    expect(yield* child.refused(load)).toMatchObject({ _tag: "AssetFailed", operation: "read" })
    const another = AssetId.make(String(yield* child.get(save)))
    expect(yield* child.get({ do: "load", session: s1, asset: another })).toBe(1000)
    expect(yield* child.get({ do: "read", session: s1 })).toEqual(["a 1"])
  })
)
