/** Files that are damaged, removed or replaced, while a process uses them or before. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { AssetId } from "../../../src/domain/Asset.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"

const { s1 } = Child
const s2 = SessionId.make("s2")

const append = (session: SessionId, name: string, count: number, bytes = 200) =>
  ({ do: "append", session, name, count, bytes, atOnce: false }) as const

/** The folder of a closed process whose database has two sessions. */
const closed = Effect.gen(function* () {
  const data = yield* folder
  const child = yield* Child.open(data)
  for (const session of [s1, s2]) {
    yield* child.get({ do: "create", session })
    yield* child.get(append(session, `of ${session}`, 60))
  }
  yield* child.get({ do: "close" })
  const path = join(data, "skein.db")
  return { data, path, child }
})

describe("a database that cannot be used", () => {
  it.scopedLive("is refused with the reason and left as it was; once the right file is back, all works again", () =>
    Effect.gen(function* () {
      const { child, data, path } = yield* closed
      const good = `${path}.good`
      renameSync(path, good)
      const refuses = (reason: string, spoil: () => void) =>
        Effect.gen(function* () {
          copyFileSync(good, path)
          spoil()
          const before = readFileSync(path)
          expect(yield* child.refused({ do: "open" })).toMatchObject({ _tag: "StorageUnusable", reason, path })
          expect(readFileSync(path).equals(before)).toBe(true)
          expect(readdirSync(data).filter((name) => !name.startsWith("skein.db-"))).toEqual([
            "skein.db",
            "skein.db.good"
          ])
        })
      yield* refuses("not-a-database", () => writeFileSync(path, "once upon a time ".repeat(1000)))
      yield* refuses("damaged", () => truncateSync(path, statSync(path).size - 4096))
      yield* refuses("newer-version", () => {
        const connection = new Sqlite(path)
        connection.pragma("user_version = 999")
        connection.close()
      })
      yield* refuses("foreign-database", () => {
        const connection = new Sqlite(path)
        connection.pragma("application_id = 42")
        connection.close()
      })
      rmSync(path)
      renameSync(good, path)
      yield* child.get({ do: "open" })
      expect(yield* child.get({ do: "read", session: s1 })).toHaveLength(60)
    })
  )
})

describe("one damaged session", () => {
  it.scopedLive("on an unreadable page: other sessions can be read and written, and nothing is moved", () =>
    Effect.gen(function* () {
      const { child, data, path } = yield* closed
      const bytes = readFileSync(path)
      const page = Math.floor(bytes.indexOf("of s1 30") / 4096) * 4096
      writeFileSync(path, bytes.fill(0xff, page, page + 4096))
      yield* child.get({ do: "open" })
      expect(yield* child.get({ do: "read", session: s2 })).toHaveLength(60)
      expect(yield* child.refused({ do: "read", session: s1 })).toMatchObject({
        _tag: "StorageFailed",
        code: "SQLITE_CORRUPT"
      })
      yield* child.get(append(s2, "more of s2", 3))
      expect(yield* child.get({ do: "read", session: s2 })).toHaveLength(63)
      expect(yield* child.get({ do: "list" })).toEqual([s2, s1])
      yield* child.get({ do: "close" })
      expect(readdirSync(data)).toEqual(["skein.db"])
      expect(
        readFileSync(path)
          .subarray(page, page + 4096)
          .every((byte) => byte === 0xff)
      ).toBe(true)
    })
  )

  it.scopedLive("in a row that does not decode: the row is named, and other sessions go on", () =>
    Effect.gen(function* () {
      const { child, path } = yield* closed
      yield* child.get({ do: "open" })
      const connection = new Sqlite(path)
      connection.exec(
        "UPDATE messages SET body = '{}' WHERE seq = 5 AND session = (SELECT ordinal FROM session_rows WHERE id = 's1')"
      )
      connection.close()
      expect(yield* child.refused({ do: "read", session: s1 })).toMatchObject({
        _tag: "RowDamaged",
        sessionId: s1,
        seq: 5,
        detail: expect.stringMatching(/^does not decode/)
      })
      expect(yield* child.get({ do: "read", session: s2 })).toHaveLength(60)
      for (const [session, stopReason] of [
        [s2, "completed"],
        [s1, "failed"]
      ] as const) {
        const run = RunId.make(String(yield* child.get({ do: "send", session, text: "hello", key: "k" })))
        expect(yield* child.get({ do: "await", session, run })).toBe(stopReason)
      }
      expect(yield* child.get({ do: "list" })).toEqual([s2, s1])
      yield* child.get(append(s2, "after", 1))
    })
  )
})

describe("the log", () => {
  it.scopedLive("cut short, lost or damaged: the file is sound, has a beginning of what was stored, and goes on", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const child = yield* Child.open(data)
      yield* child.get({ do: "create", session: s1 })
      yield* child.get(append(s1, "first", 5))
      yield* child.get({ do: "close" })
      yield* child.get({ do: "open" })
      yield* child.get(append(s1, "logged", 20))
      yield* child.kill
      const path = join(data, "skein.db")
      const spoilt = (name: string, spoil: (log: string) => void) =>
        Effect.gen(function* () {
          const copy = yield* folder
          copyFileSync(path, join(copy, "skein.db"))
          copyFileSync(`${path}-wal`, join(copy, "skein.db-wal"))
          spoil(join(copy, "skein.db-wal"))
          const next = yield* Child.open(copy)
          const run = RunId.make(String(yield* next.get({ do: "send", session: s1, text: "on", key: "k" })))
          expect(yield* next.get({ do: "await", session: s1, run }), name).toBe("completed")
          yield* next.kill
          const names = yield* Reopened.names(copy, s1)
          const left = names.length - 2
          expect(names, name).toEqual([...child.stored().slice(0, left), "on", "An answer"])
          return left
        })
      const half = yield* spoilt("cut", (log) => truncateSync(log, Math.floor(statSync(log).size / 2)))
      expect(half).toBeGreaterThan(5)
      expect(half).toBeLessThan(25)
      expect(yield* spoilt("gone", (log) => rmSync(log))).toBe(5)
      const flipped = yield* spoilt("flipped", (log) => {
        const bytes = readFileSync(log)
        const at = Math.floor(bytes.length / 2)
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
        writeFileSync(log, bytes)
      })
      expect(flipped).toBeGreaterThanOrEqual(5)
      expect(flipped).toBeLessThan(25)
    })
  )
})

describe("a database that is taken away while it is open", () => {
  it.scopedLive("takes no writes and says why; once it is back, it takes writes again", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const path = join(data, "skein.db")
      const child = yield* Child.open(data)
      yield* child.get({ do: "create", session: s1 })
      yield* child.get(append(s1, "before", 2))
      const replaced = { _tag: "StorageUnusable", path, reason: "replaced", detail: "" }

      renameSync(path, `${path}.away`)
      yield* child.get({ do: "wait", millis: 50 })
      yield* child.get(append(s1, "away", 2))
      writeFileSync(path, "another file")
      yield* child.get(append(s1, "replaced", 2))
      expect(child.failures().map(({ failure }) => failure)).toEqual([replaced, replaced, replaced, replaced])
      expect(readFileSync(path, "utf8")).toBe("another file")

      renameSync(`${path}.away`, path)
      yield* child.get({ do: "wait", millis: 50 })
      yield* child.get(append(s1, "back", 2))
      expect(child.stored()).toEqual(["before 1", "before 2", "back 1", "back 2"])
      expect(yield* child.get({ do: "read", session: s1 })).toEqual(child.stored())

      rmSync(path)
      yield* child.get({ do: "wait", millis: 50 })
      yield* child.get(append(s1, "gone", 1))
      expect(child.failures().at(-1)).toEqual({ name: "gone 1", failure: replaced })
      yield* child.get({ do: "close" })
      yield* child.get({ do: "open" })
      expect(yield* child.get({ do: "list" })).toEqual([])
    })
  )

  it.scopedLive("takes no writes when only its log is taken away; reopened, it holds everything acknowledged", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const child = yield* Child.open(data)
      yield* child.get({ do: "create", session: s1 })
      for (const name of ["skein.db-wal", "skein.db-shm"]) {
        yield* child.get(append(s1, `before ${name}`, 2))
        rmSync(join(data, name))
        yield* child.get({ do: "wait", millis: 50 })
        yield* child.get(append(s1, "without", 1))
        expect(child.failures().at(-1)?.failure).toMatchObject({ _tag: "StorageUnusable", reason: "replaced" })
        yield* child.get({ do: "close" })
        yield* child.get({ do: "open" })
        yield* child.get(append(s1, `after ${name}`, 1))
      }
      yield* child.kill
      expect(child.stored()).toHaveLength(6)
      expect(yield* Reopened.names(data, s1)).toEqual(child.stored())
    })
  )
})

describe("an asset", () => {
  it.scopedLive("whose bytes have changed since it was saved is named when it is read to its end", () =>
    Effect.gen(function* () {
      const { child, data } = yield* closed
      yield* child.get({ do: "open" })
      const save = { do: "save", session: s1, bytes: 300_000 } as const
      const asset = AssetId.make(String(yield* child.get(save)))
      const other = AssetId.make(String(yield* child.get(save)))
      const [name = ""] = Reopened.files(data).filter(
        (file) => file.startsWith("assets") && file.includes(asset.slice(4))
      )
      const file = join(data, name)
      const bytes = readFileSync(file)
      writeFileSync(file, Buffer.from(bytes).fill(8, 200_000, 200_001))
      expect(yield* child.refused({ do: "load", session: s1, asset })).toMatchObject({
        _tag: "AssetFailed",
        assetId: asset,
        operation: "read",
        detail: "the content was changed"
      })
      expect(yield* child.get({ do: "load", session: s1, asset: other })).toBe(300_000)
      writeFileSync(file, bytes)
      expect(yield* child.get({ do: "load", session: s1, asset })).toBe(300_000)
    })
  )
})
