/** Disks and files that have no more room. */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as LogFile from "../../../src/adapters/cli/LogFile.js"
import { AssetId } from "../../../src/domain/Asset.js"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"
import { disk, withLimits, withMounts } from "./Machine.js"

const { s1 } = Child

const assetsIn = (data: string) => Reopened.files(data).filter((file) => file.startsWith("assets"))

const append = (name: string, count: number, bytes: number) =>
  ({ do: "append", session: s1, name, count, bytes, atOnce: false }) as const

withMounts("P2 a full disk: writes that do not fit are refused with the reason, and all works once there is room", () =>
  Effect.gen(function* () {
    const mounted = yield* disk(4 * 1024 * 1024)
    const data = join(mounted, "data")
    const filler = join(mounted, "filler")
    const free = () => statfsSync(mounted).bavail * statfsSync(mounted).bsize
    const child = yield* Child.start(data, { waits: true })

    writeFileSync(filler, Buffer.alloc(free()))
    expect(yield* child.refused({ do: "open" })).toEqual({
      _tag: "StorageFailed",
      operation: "open the database",
      code: "SQLITE_FULL"
    })
    rmSync(filler)
    yield* child.get({ do: "open" })

    yield* child.get({ do: "create", session: s1 })
    writeFileSync(filler, Buffer.alloc(free() - 2 * 1024 * 1024))
    yield* child.get(append("large", 40, 100_000))
    expect(child.failures().length).toBeGreaterThan(0)
    for (const { failure } of child.failures()) {
      expect(failure).toEqual({ _tag: "StorageFailed", operation: "append messages", code: "SQLITE_FULL" })
    }
    const before = child.stored().slice()
    expect(yield* child.get({ do: "read", session: s1 })).toEqual(before)
    const asset = { do: "save", session: s1, bytes: 3_000_000 } as const
    expect(yield* child.refused(asset)).toMatchObject({
      _tag: "AssetFailed",
      detail: "ENOSPC: no space left on device"
    })
    expect(assetsIn(data)).toEqual([])

    rmSync(filler)
    yield* child.get(append("after", 3, 10_000))
    expect(child.stored().length).toBe(before.length + 3)
    yield* child.kill
    expect(yield* Reopened.names(data, s1)).toEqual(child.stored())
  })
)

withLimits("P2 a file at its size limit: nothing stored is lost, and all works once the limit is lifted", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data)
    yield* child.get({ do: "create", session: s1 })
    const limit = (bytes: string) =>
      Effect.sync(() => execFileSync("prlimit", ["--pid", `${child.pid}`, `--fsize=${bytes}:`]))
    yield* limit("1000000")
    yield* child.get(append("large", 15, 100_000))
    const refused = child.failures().length
    expect(refused).toBeGreaterThan(0)
    for (const { failure } of child.failures()) {
      expect(failure).toMatchObject({ operation: "append messages", code: "SQLITE_IOERR_WRITE" })
    }
    expect(yield* child.refused({ do: "save", session: s1, bytes: 2_000_000 })).toMatchObject({
      _tag: "AssetFailed",
      detail: "EFBIG: file too large"
    })
    expect(assetsIn(data)).toEqual([])
    yield* limit("unlimited")
    yield* child.get(append("after", 3, 100_000))
    expect(child.failures()).toHaveLength(refused)
    const asset = AssetId.make(String(yield* child.get({ do: "save", session: s1, bytes: 2_000_000 })))
    expect(yield* child.get({ do: "load", session: s1, asset })).toBe(2_000_000)
    yield* child.kill
    const unknown = child
      .failures()
      .filter(({ failure }) => failure._tag === "OutcomeUnknown")
      .map(({ name }) => name)
    expect((yield* Reopened.names(data, s1)).filter((name) => !unknown.includes(name))).toEqual(child.stored())
  })
)

withMounts("a log's lines that fit only in part are dropped, and those after them are lines of their own", () =>
  Effect.gen(function* () {
    const mounted = yield* disk(64 * 1024)
    const [file, filler] = [join(mounted, "skein.log"), join(mounted, "filler")]
    const told: Array<string | number> = []
    const log = LogFile.open(file, { failed: (code) => told.push(code), works: (dropped) => told.push(dropped) })
    log.write("before")
    writeFileSync(filler, Buffer.alloc(statfsSync(mounted).bavail * statfsSync(mounted).bsize))
    log.write("x".repeat(10_000))
    log.write("y".repeat(10_000))
    expect(told).toEqual(["ENOSPC"])
    rmSync(filler)
    log.write("after")
    log.write("z".repeat(10_000))
    log.close()
    expect(told).toEqual(["ENOSPC", 2])
    const [first, cut, ...rest] = readFileSync(file, "utf8").split("\n")
    expect([first, cut?.replace(/^x+$/, "cut"), ...rest]).toEqual(["before", "cut", "after", "z".repeat(10_000), ""])
  })
)
