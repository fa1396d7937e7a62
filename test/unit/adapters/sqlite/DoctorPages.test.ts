/**
 * Damaged pages and databases that cannot be opened: what can be read goes into a new database, and the old one is kept
 * whole.
 */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { folder } from "../../services/storage/disk.js"
import { damages, databaseIn, engineOn, look, populated, repair, spoil, tamper, transcript, two } from "./populated.js"

import { asides, damaged, isMended, text } from "./damaged.js"

/** Fills session `one` so that its messages take many pages. */
const fill = (data: string) =>
  Effect.flatMap(Gateway, (gateway) =>
    Effect.forEach(Array.from({ length: 60 }), (_, index) =>
      gateway.append(two, [{ role: "user", parts: [{ type: "text", text: `${index} ${"x".repeat(2_000)}` }] }])
    )
  ).pipe(Effect.provide(engineOn(data)))

/** The child pages of the root of a table's b-tree. */
const leavesOf = (path: string, table: string): ReadonlyArray<number> => {
  const connection = new Sqlite(path, { readonly: true })
  const root = connection
    .prepare<[string], number>("SELECT rootpage FROM sqlite_schema WHERE name = ?")
    .pluck()
    .get(table)
  connection.close()
  const bytes = readFileSync(path)
  const at = ((root ?? 1) - 1) * 4096
  const cells = bytes.readUInt16BE(at + 3)
  return Array.from({ length: cells }, (_, cell) => bytes.readUInt32BE(at + bytes.readUInt16BE(at + 12 + 2 * cell)))
}

describe("damaged pages", () => {
  it.scopedLive("what can be read goes into a new database, the old one is kept whole, and losses are reported", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      yield* fill(data)
      const path = databaseIn(data)
      const leaves = leavesOf(path, "messages")
      expect(leaves.length).toBeGreaterThan(10)
      spoil(path, leaves[5] ?? 0)
      writeFileSync(`${path}-wal`, "what a dead process left")
      const broken = readFileSync(path)
      expect(damages(yield* look(data))).toEqual([`${path}: pages-damaged`])
      expect(readFileSync(path).equals(broken)).toBe(true)

      const mended = yield* isMended(data)
      const repaired = mended.repaired[0]?.repaired
      expect(repaired?.lost).toBe(1)
      expect(mended.one).toHaveLength(transcript.length)
      const texts = mended.two.map(text)
      expect(texts).toHaveLength(64)
      const lost = texts.filter((text) => text.includes("was damaged")).length
      expect(lost).toBeGreaterThan(0)
      expect(lost).toBeLessThan(5)
      expect(repaired?.sessions).toEqual([
        { id: "one", kept: transcript.length, lost: 0 },
        { id: "two", kept: 63 - lost, lost }
      ])
      const kept = asides(data).find((name) => name.endsWith("skein.db")) ?? ""
      expect(readFileSync(join(data, "aside", kept)).equals(broken)).toBe(true)
      expect(readFileSync(join(data, "aside", `${kept}-wal`), "utf8")).toBe("what a dead process left")
      expect(statSync(path).nlink).toBe(1)
    })
  )

  it.scopedLive("a database that is cut off is rebuilt from what is left", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      yield* fill(data)
      truncateSync(databaseIn(data), Math.floor(statSync(databaseIn(data)).size / 8192) * 4096)
      expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: pages-damaged`])
      const repaired = yield* repair(data)
      expect(damages(repaired)).toEqual([])
      expect(damages(yield* look(data))).toEqual([])
    })
  )

  it.scopedLive("a repair that was killed just before the new database took its place is undone, and done again", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      const path = databaseIn(data)
      const aside = join(data, "aside", "earlier")
      mkdirSync(aside, { recursive: true })
      linkSync(path, join(aside, "skein.db"))
      writeFileSync(join(aside, "skein.db-wal"), "")
      const unfinished = ["before.partial", "before.partial-journal", "rebuilt", "rebuilt.source-wal"]
      for (const name of unfinished) writeFileSync(`${path}.${name}`, "half")
      expect(damages(yield* look(data)).map((line) => line.replaceAll(data, "DATA"))).toEqual([
        ...unfinished.map((name) => `DATA/skein.db.${name}: left-behind`),
        "DATA/skein.db: half-repaired"
      ])
      const mended = yield* isMended(data)
      expect(mended.one).toHaveLength(transcript.length)
      expect([statSync(path).nlink, readdirSync(aside)]).toEqual([1, []])
      expect(readdirSync(data).toSorted()).toEqual(["aside", "assets", "skein.db"])
    })
  )

  /** Sets options for every Node process that is started within the scope. */
  const nodeOptions = (options: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const before = process.env["NODE_OPTIONS"]
        process.env["NODE_OPTIONS"] = options
        return before
      }),
      (before) =>
        Effect.sync(() => {
          if (before === undefined) delete process.env["NODE_OPTIONS"]
          else process.env["NODE_OPTIONS"] = before
        })
    )

  it.scopedLive("a second check that crashes proves no damage, and nothing is repaired because of it", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      yield* fill(data)
      const path = databaseIn(data)
      spoil(path, leavesOf(path, "messages")[5] ?? 0)
      const broken = readFileSync(path)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* nodeOptions("--require /missing.cjs")
          expect(damages(yield* look(data))).toEqual([`${path}: read-error`])
          expect(yield* Effect.flip(repair(data))).toMatchObject({ _tag: "StorageFailed", code: "NO_ANSWER" })
        })
      )
      expect(readFileSync(path).equals(broken)).toBe(true)
      expect(asides(data)).toEqual([])
      yield* isMended(data)
    })
  )

  it.scopedLive("a rebuilt database does not replace one that was written meanwhile", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const data = join(root, "data")
      yield* populated(data)
      yield* fill(data)
      const path = databaseIn(data)
      spoil(path, leavesOf(path, "messages")[5] ?? 0)
      // An engine writes before the database is held for the third time; by then everything readable was copied.
      const script = join(root, "write.cjs")
      const statement = "UPDATE session_rows SET title = 'written meanwhile' WHERE id = 'two'"
      writeFileSync(
        script,
        `if (process.argv[2] === "hold") {
          require("node:fs").appendFileSync(${JSON.stringify(join(root, "holds"))}, "x")
          if (require("node:fs").readFileSync(${JSON.stringify(join(root, "holds"))}, "utf8") === "xxx") {
            const Sqlite = require(${JSON.stringify(createRequire(import.meta.url).resolve("better-sqlite3"))})
            const connection = new Sqlite(${JSON.stringify(path)})
            connection.exec(${JSON.stringify(statement)})
            connection.close()
          }
        }`
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* nodeOptions(`--require ${script}`)
          expect(yield* Effect.flip(repair(data))).toMatchObject({ _tag: "StorageUnusable", reason: "locked" })
        })
      )
      expect(asides(data)).toEqual([])
      expect(existsSync(`${path}.rebuilt`)).toBe(false)
      const connection = new Sqlite(path, { readonly: true })
      expect(connection.prepare("SELECT title FROM session_rows WHERE id = 'two'").pluck().get()).toBe(
        "written meanwhile"
      )
      connection.close()
      yield* isMended(data)
    })
  )

  it.scopedLive("nothing is repaired while another process has the database open", () =>
    Effect.gen(function* () {
      const { data } = yield* damaged((data) =>
        tamper(data, "UPDATE messages SET body = '' WHERE session = 1 AND seq = 1")
      )
      const other = yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(databaseIn(data))),
        (connection) => Effect.sync(() => connection.close())
      )
      other.prepare("SELECT count(*) FROM messages").get()
      const refusal = yield* Effect.flip(repair(data))
      expect(refusal).toMatchObject({ _tag: "StorageUnusable", reason: "locked" })
      expect(asides(data)).toEqual([])
      expect(other.prepare("SELECT body FROM messages WHERE session = 1 AND seq = 1").pluck().get()).toBe("")
    })
  )
})
