/** Processes that get no more files or memory. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"
import { withLimits } from "./Machine.js"

const { s1 } = Child

const append = (name: string, count: number) =>
  ({ do: "append", session: s1, name, count, bytes: 100, atOnce: false }) as const

withLimits("too many open files: what needs one more is refused with the reason, and works with a higher limit", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data)
    yield* child.get({ do: "create", session: s1 })
    const limit = (count: number) =>
      Effect.sync(() => execFileSync("prlimit", ["--pid", `${child.pid}`, `--nofile=${count}:`]))
    yield* limit(3)
    yield* child.get(append("without", 2))
    expect(yield* child.refused({ do: "save", session: s1, bytes: 100 })).toMatchObject({
      _tag: "AssetFailed",
      detail: "EMFILE: too many open files"
    })
    expect(Reopened.files(data).filter((file) => file.startsWith("assets"))).toEqual([])
    yield* child.get({ do: "close" })
    expect(yield* child.refused({ do: "open" })).toEqual({
      _tag: "StorageFailed",
      operation: "open the database",
      code: "EMFILE"
    })
    yield* limit(1024)
    yield* child.get({ do: "open" })
    yield* child.get({ do: "save", session: s1, bytes: 100 })
    yield* child.get(append("after", 2))
    yield* child.kill
    expect(yield* Reopened.names(data, s1)).toEqual(["without 1", "without 2", "after 1", "after 2"])
  })
)

it.scopedLive("P2 out of memory: the process dies, and everything that it had acknowledged is stored", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data, { node: ["--max-old-space-size=96"] })
    yield* child.get({ do: "create", session: s1 })
    yield* child.get(append("before", 10))
    const [, end] = yield* Effect.all([child.ask(append("during", 1000)), child.ask({ do: "hoard" })], {
      concurrency: "unbounded"
    })
    expect(end._tag).toBe("Died")
    expect(child.stored().length).toBeGreaterThanOrEqual(10)
    const names = yield* Reopened.names(data, s1)
    expect(names.slice(0, child.stored().length)).toEqual(child.stored())
    expect(names.length).toBeLessThanOrEqual(child.stored().length + 1)
  })
)
