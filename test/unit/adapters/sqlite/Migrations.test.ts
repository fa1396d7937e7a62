import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Deferred, Effect, Fiber, Logger } from "effect"
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Migrations from "../../../../src/adapters/sqlite/Migrations.js"
import { codeOf } from "../../../../src/adapters/ErrorCode.js"
import { WorkProgress } from "../../../../src/services/WorkProgress.js"
import type { Step } from "../../../../src/services/storage/sql/schema/Steps.js"
import { folder } from "../../services/storage/disk.js"
import { refused } from "../../../../src/adapters/testing/storage/fixture.js"

const step = (name: string, rewrites: boolean, ...statements: ReadonlyArray<string>): Step => ({
  name,
  rewrites,
  statements
})

const first = step("1_first", true, "CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('old')")
const adds = step("2_adds", false, "ALTER TABLE notes ADD COLUMN at INTEGER")
const rewrites = step("3_rewrites", true, "UPDATE notes SET text = 'new'")

const notes = (path: string) => {
  const connection = new Sqlite(path, { readonly: true })
  const rows = connection.prepare<[], string>("SELECT text FROM notes").pluck().all()
  const version = connection.pragma("user_version", { simple: true })
  connection.close()
  return { rows, version }
}

const place = Effect.map(folder, (directory) => {
  const path = join(directory, "skein.db")
  new Sqlite(path).exec("PRAGMA journal_mode = WAL").close()
  const copies = () => readdirSync(directory).filter((name) => name.includes(".before"))
  return { directory, path, copies }
})

it.scopedLive("a step that rewrites rows first leaves a copy next to the database, and logs where", () =>
  Effect.gen(function* () {
    const { copies, directory, path } = yield* place
    yield* Migrations.migrate(path, [first, adds])
    const logged: Array<string> = []
    const logger = Logger.make(({ annotations }) => void logged.push(...[...annotations].map(String)))
    yield* Migrations.migrate(path, [first, adds, rewrites]).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    expect(notes(path)).toEqual({ rows: ["new"], version: 3 })
    const [copy = ""] = copies()
    expect(copies()).toEqual([expect.stringMatching(/^skein\.db\.before-3-\d{8}T\d{6}\.\d{3}Z$/)])
    expect(notes(join(directory, copy))).toEqual({ rows: ["old"], version: 2 })
    expect(statSync(join(directory, copy)).mode & 0o777).toBe(0o600)
    expect(logged.join(" ")).toContain(copy)
  })
)

it.scopedLive("steps that only add, and a new database, need no copy", () =>
  Effect.gen(function* () {
    const { copies, path } = yield* place
    yield* Migrations.migrate(path, [first])
    yield* Migrations.migrate(path, [first, adds])
    yield* Migrations.migrate(path, [first, adds])
    expect(notes(path)).toEqual({ rows: ["old"], version: 2 })
    expect(copies()).toEqual([])
  })
)

it.scopedLive("a migration that fails changes nothing and leaves no copy", () =>
  Effect.gen(function* () {
    const { copies, path } = yield* place
    yield* Migrations.migrate(path, [first])
    const broken = step("2_broken", true, "UPDATE notes SET text = 'half'", "INSERT INTO nowhere VALUES (1)")
    expect(yield* refused(Migrations.migrate(path, [first, broken]))).toMatchObject({ _tag: "StorageFailed" })
    expect(notes(path)).toEqual({ rows: ["old"], version: 1 })
    expect(copies()).toEqual([])
  })
)

const large = step("2_large", false, "INSERT INTO notes VALUES (zeroblob(20000000))")

it.scopedLive("the progress of the copy is reported in bytes", () =>
  Effect.gen(function* () {
    const { path } = yield* place
    yield* Migrations.migrate(path, [first, large])
    const reports: Array<readonly [done: number, total: number]> = []
    yield* Effect.provideService(Migrations.migrate(path, [first, large, rewrites]), WorkProgress, (_, done, total) =>
      Effect.sync(() => void reports.push([done, total]))
    )
    const total = reports[0]?.[1] ?? 0
    expect(total).toBeGreaterThan(20_000_000)
    expect(reports.length).toBeGreaterThan(3)
    expect(reports.every((report, at) => report[1] === total && report[0] >= (reports[at - 1]?.[0] ?? 0))).toBe(true)
    expect(reports.at(-1)).toEqual([total, total])
  })
)

it.scopedLive("a migration that is interrupted during its copy changes nothing and leaves no copy", () =>
  Effect.gen(function* () {
    const { copies, directory, path } = yield* place
    yield* Migrations.migrate(path, [first, large])
    const begun = yield* Deferred.make<void>()
    const migration = yield* Effect.fork(
      Effect.provideService(Migrations.migrate(path, [first, large, rewrites]), WorkProgress, () =>
        Effect.asVoid(Deferred.succeed(begun, undefined))
      )
    )
    yield* Deferred.await(begun)
    yield* Fiber.interrupt(migration)
    expect(notes(path).version).toBe(2)
    expect(copies()).toEqual([])
    yield* Migrations.migrate(path, [first, large, rewrites])
    expect(notes(path).version).toBe(3)
    expect(notes(join(directory, copies()[0] ?? "")).version).toBe(2)
  })
)

it.scopedLive("what a killed copy left does not get into the next one", () =>
  Effect.gen(function* () {
    const { copies, directory, path } = yield* place
    yield* Migrations.migrate(path, [first, large])
    for (const name of [".before.partial", ".before-3.partial", ".before-9.partial"]) {
      writeFileSync(`${path}${name}`, "half a copy")
      writeFileSync(`${path}${name}-journal`, "a journal of it")
    }
    yield* Migrations.migrate(path, [first, large, rewrites])
    expect(copies()).toHaveLength(1)
    expect(notes(join(directory, copies()[0] ?? "")).version).toBe(2)
  })
)

it.scopedLive("a copy that cannot be made stops the migration", () =>
  Effect.gen(function* () {
    const { copies, path } = yield* place
    yield* Migrations.migrate(path, [first, adds])
    mkdirSync(`${path}.before-3.partial`)
    expect(yield* refused(Migrations.migrate(path, [first, adds, rewrites]))).toMatchObject({
      _tag: "StorageFailed",
      operation: "copy the database before its migration"
    })
    expect(notes(path)).toEqual({ rows: ["old"], version: 2 })
    expect(copies()).toEqual(["skein.db.before-3.partial"])
  })
)

it.scopedLive(
  "a database that anything else has open is not migrated, nor copied, and is as soon as it is closed",
  () =>
    Effect.gen(function* () {
      const { copies, path } = yield* place
      yield* Migrations.migrate(path, [first])
      const other = new Sqlite(path, { readonly: true })
      other.prepare("SELECT 1 FROM sqlite_schema").get()
      const migrating = Migrations.migrate(path, [first, adds, rewrites])
      expect(yield* refused(migrating)).toMatchObject({ _tag: "StorageUnusable", reason: "locked" })
      expect(notes(path)).toEqual({ rows: ["old"], version: 1 })
      expect(copies()).toEqual([])
      other.close()
      yield* migrating
      expect(notes(path)).toEqual({ rows: ["new"], version: 3 })
    })
)

it.scopedLive("nothing else can open a database from before its copy until its migration is done", () =>
  Effect.gen(function* () {
    const { path } = yield* place
    yield* Migrations.migrate(path, [first, large])
    const found: Array<unknown> = []
    const look = Effect.sync(() => {
      const connection = new Sqlite(path, { readonly: true, timeout: 0 })
      try {
        found.push(connection.pragma("user_version", { simple: true }))
      } catch (thrown) {
        found.push(codeOf(thrown))
      } finally {
        connection.close()
      }
    })
    yield* Effect.provideService(Migrations.migrate(path, [first, large, rewrites]), WorkProgress, () => look)
    expect(new Set(found)).toEqual(new Set(["SQLITE_BUSY"]))
    expect(notes(path).version).toBe(3)
  })
)

it.scopedLive("a copy whose migration was killed right after it was committed gets its name at the next opening", () =>
  Effect.gen(function* () {
    const { copies, path } = yield* place
    const unfinished = (version: number) => writeFileSync(`${path}.before-${version}.partial`, "a copy")
    unfinished(Migrations.newest)
    unfinished(Migrations.newest + 1)
    yield* Migrations.finishCopy(path)
    yield* Migrations.finishCopy(path)
    expect(copies()).toEqual([
      expect.stringMatching(new RegExp(`^skein\\.db\\.before-${Migrations.newest}-\\d{8}T\\d{6}\\.\\d{3}Z$`)),
      `skein.db.before-${Migrations.newest + 1}.partial`
    ])
  })
)
