/** Disks that fail or are slow, by means of a shim between a real process and the system calls on its files. */
import { describe, expect } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { AssetId } from "../../../src/domain/Asset.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"
import { withShim } from "./Machine.js"
import * as Shim from "./Shim.js"

const { s1 } = Child

/** A process with a session, on a disk that fails on demand. */
const onDisk = Effect.gen(function* () {
  const data = yield* folder
  const shim = yield* Shim.make(data)
  const child = yield* Child.open(data, { env: shim.env })
  yield* child.get({ do: "create", session: s1 })
  const append = (name: string, count = 1, atOnce = false) =>
    child.get({ do: "append", session: s1, name, count, bytes: 10, atOnce })
  /**
   * Makes one call on the log fail during an append, and repeats this until an append has failed: a write that the
   * engine makes by itself may hit the fault first.
   */
  const failOnce = (call: Shim.Rule["call"]) =>
    Effect.gen(function* () {
      for (let time = 1; child.failures().length === 0; time++) {
        shim.set({ trace: true, rules: [{ call, path: ".db-wal", times: 1, does: { gives: "EIO" } }] })
        yield* append(`failing ${time}.`)
      }
      return child.failures().map(({ failure }) => failure)
    })
  return { data, shim, child, append, failOnce }
})

const failed = (code: string) => ({ _tag: "StorageFailed", operation: "append messages", code })

/** The calls that used a descriptor again after a sync on it had failed. */
const usedAfterFailedSync = (trace: ReadonlyArray<Shim.Call>): ReadonlyArray<Shim.Call> => {
  const spoilt = new Set<number>()
  return trace.filter(({ call, descriptor, outcome }) => {
    if (call === "close") spoilt.delete(descriptor)
    const isUsed = spoilt.has(descriptor) && (call === "write" || call === "sync")
    if (call === "sync" && outcome === "errno") spoilt.add(descriptor)
    return isUsed
  })
}

/** How often the process printed something before its writes to the log were synced. */
const saidTooEarly = (trace: ReadonlyArray<Shim.Call>): number => {
  let isDirty = false
  return trace.filter(({ call, file, outcome }) => {
    if (file === "skein.db-wal" && call === "write") isDirty = true
    if (file === "skein.db-wal" && call === "sync" && outcome === "ok") isDirty = false
    return file === "stdout" && isDirty
  }).length
}

describe("a disk error", () => {
  withShim("P2 a sync that fails once: the outcome of the commit is looked up, and reported as it is", () =>
    Effect.gen(function* () {
      const { append, child, data, failOnce, shim } = yield* onDisk
      shim.set({ trace: true })
      yield* append("before", 2)
      expect(yield* failOnce("sync")).toEqual([failed("SQLITE_IOERR_FSYNC")])
      yield* append("at once", 20, true)
      yield* child.kill
      expect(child.failures()).toHaveLength(1)
      expect(yield* Reopened.names(data, s1)).toEqual(child.stored())
      expect(usedAfterFailedSync(shim.trace())).toEqual([])
      expect(saidTooEarly(shim.trace())).toBe(0)
    })
  )

  withShim("P2 syncs that keep failing: nothing is acknowledged, and all works again once they succeed", () =>
    Effect.gen(function* () {
      const { append, child, data, shim } = yield* onDisk
      yield* append("before")
      shim.set({ trace: true, rules: [{ call: "sync", path: ".db-wal", does: { gives: "EIO" } }] })
      yield* append("failing", 3)
      expect(child.stored()).toEqual(["before 1"])
      expect(child.failures().map(({ failure }) => failure)).toEqual(
        Array.from({ length: 3 }, () => ({
          _tag: "OutcomeUnknown",
          operation: "append messages",
          code: "SQLITE_IOERR_FSYNC"
        }))
      )
      expect(usedAfterFailedSync(shim.trace())).toEqual([])
      shim.set({})
      yield* append("after", 2)
      yield* child.kill
      const names = yield* Reopened.names(data, s1)
      expect(names.filter((name) => !name.startsWith("failing"))).toEqual(["before 1", "after 1", "after 2"])
      expect(child.stored()).toEqual(["before 1", "after 1", "after 2"])
    })
  )

  withShim("P2 a process killed before it looks up a failed commit: a retry under the same key doubles nothing", () =>
    Effect.gen(function* () {
      const { child, data, shim } = yield* onDisk
      const send = { do: "send", session: s1, text: "once", key: "k" } as const
      shim.set({
        rules: [
          { call: "sync", path: ".db-wal", times: 1, does: { gives: "EIO" } },
          { call: "open", path: ".db-wal", does: "kill" }
        ]
      })
      expect(yield* child.ask(send)).toMatchObject({ _tag: "Died", signal: "SIGKILL" })
      const next = yield* Child.open(data)
      const run = yield* next.get(send)
      expect(yield* next.get(send)).toBe(run)
      yield* next.kill
      expect((yield* Reopened.names(data, s1)).filter((name) => name === "once")).toHaveLength(1)
    })
  )

  withShim("a write that fails is refused with its code, later writes are stored, and nothing is lost", () =>
    Effect.gen(function* () {
      const { append, child, data, failOnce, shim } = yield* onDisk
      yield* append("before")
      expect(yield* failOnce("write")).toEqual([failed("SQLITE_IOERR_WRITE")])
      yield* append("neighbour")
      expect(child.stored()).toContain("neighbour 1")
      shim.set({ rules: [{ call: "write", path: ".db", does: { gives: "EROFS" } }] })
      yield* append("read-only", 2)
      for (const { failure } of child.failures()) {
        expect(failure).toMatchObject({ operation: "append messages", code: "SQLITE_IOERR_WRITE" })
      }
      shim.set({})
      yield* append("after", 2)
      yield* child.kill
      expect(child.stored().slice(-2)).toEqual(["after 1", "after 2"])
      const unknown = child.failures().flatMap(({ failure, name }) => (failure._tag === "OutcomeUnknown" ? [name] : []))
      const names = yield* Reopened.names(data, s1)
      expect(names.filter((name) => !unknown.includes(name))).toEqual(child.stored())
    })
  )

  withShim("a read that fails is not damage: nothing is moved, repaired or removed, and the next read succeeds", () =>
    Effect.gen(function* () {
      const { append, child, data, shim } = yield* onDisk
      yield* append("before", 3)
      const misread = { _tag: "StorageFailed", code: expect.stringMatching(/^SQLITE_(IOERR|CORRUPT)/) }
      const files = Reopened.files(data)
      const bytes = readFileSync(join(data, "skein.db"))
      shim.set({ rules: [{ call: "read", path: ".db", does: { gives: "EIO" } }] })
      expect(yield* child.refused({ do: "read", session: s1 })).toMatchObject(misread)
      // Pages that the writer has read before are still in memory, so these messages may be stored.
      yield* append("failing", 2)
      for (const { failure } of child.failures()) expect(failure).toMatchObject(misread)
      const stranger = yield* Child.start(data, { env: shim.env, waits: true })
      expect(yield* stranger.refused({ do: "open" })).toMatchObject(misread)
      shim.set({})
      expect(Reopened.files(data)).toEqual(files)
      expect(readFileSync(join(data, "skein.db")).equals(bytes)).toBe(true)
      expect(yield* child.get({ do: "read", session: s1 })).toEqual(child.stored())
      yield* append("after")
      yield* stranger.get({ do: "open" })
      const stored = yield* stranger.get({ do: "read", session: s1 })
      expect(stored).toEqual(child.stored())
      expect(stored).toEqual(expect.arrayContaining(["before 1", "before 2", "before 3", "after 1"]))
    })
  )

  withShim("an asset that cannot be written or synced is refused and leaves nothing; a later save succeeds", () =>
    Effect.gen(function* () {
      const { child, data, shim } = yield* onDisk
      const save = { do: "save", session: s1, bytes: 100_000 } as const
      for (const call of ["open", "write", "sync"] as const) {
        shim.set({ rules: [{ call, path: "/assets", does: { gives: "EIO" } }] })
        expect(yield* child.refused(save)).toMatchObject({
          _tag: "AssetFailed",
          operation: "write",
          detail: "EIO: i/o error"
        })
        expect(Reopened.files(data).filter((file) => file.startsWith("assets"))).toEqual([])
      }
      shim.set({})
      const load = { do: "load", session: s1, asset: AssetId.make(String(yield* child.get(save))) } as const
      shim.set({ rules: [{ call: "read", path: "/assets", does: { gives: "EIO" } }] })
      expect(yield* child.refused(load)).toMatchObject({
        _tag: "AssetFailed",
        operation: "read",
        detail: "EIO: i/o error"
      })
      shim.set({})
      expect(yield* child.get(load)).toBe(100_000)
    })
  )
})

describe("a slow disk", () => {
  withShim("blocks the event loop for less than two syncs, and a cancel takes at most four commits", () =>
    Effect.gen(function* () {
      const { append, child, data, shim } = yield* onDisk
      const hanging = SessionId.make("hanging")
      yield* child.get({ do: "create", session: hanging })
      const send = { do: "send", session: hanging, text: "go", key: "k" } as const
      const run = RunId.make(String(yield* child.get(send)))
      // Long, compared with what a busy machine adds.
      const syncMillis = 600
      const rounds = 3
      shim.set({ trace: true, rules: [{ call: "sync", path: ".db-wal", does: { takesMillis: syncMillis } }] })
      const syncs = () => shim.trace().filter(({ call, file }) => call === "sync" && file === "skein.db-wal").length
      yield* child.get({ do: "lateness" })
      const [, , , commitsOfCancel] = yield* Effect.all(
        [append("a", rounds), append("b", rounds), append("c", rounds), child.get({ do: "cancel", run })],
        { concurrency: "unbounded" }
      )
      expect(syncs()).toBeGreaterThanOrEqual(3 * rounds)
      expect(Number(yield* child.get({ do: "lateness" }))).toBeLessThan(2 * syncMillis)
      // The run's partial text and its end; before each at most one group that had already begun.
      expect(Number(commitsOfCancel)).toBeGreaterThan(0)
      expect(Number(commitsOfCancel)).toBeLessThanOrEqual(4)
      yield* child.kill
      expect(yield* Reopened.names(data, s1)).toEqual(child.stored())
    })
  )
})
