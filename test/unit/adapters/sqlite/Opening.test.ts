import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Layer } from "effect"
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as Migrations from "../../../../src/adapters/sqlite/Migrations.js"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import { Database } from "../../../../src/services/storage/sql/Database.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { folder } from "../../services/storage/disk.js"
import { refused } from "../../../../src/adapters/testing/storage/fixture.js"

const databaseIn = (directory: string, config: EngineConfig.Options = {}) =>
  SqliteDatabase.layer.pipe(
    Layer.provide([Layer.succeed(DataDirectory, directory), EngineConfig.layer(config)]),
    Layer.fresh
  )

/** Opens the database of a folder, runs an effect on it, and closes it. */
const within = <A, E>(directory: string, look: Effect.Effect<A, E, Database>, config: EngineConfig.Options = {}) =>
  Effect.provide(look, databaseIn(directory, config))

const opened = (directory: string, config: EngineConfig.Options = {}) =>
  within(directory, Effect.asVoid(Database), config)

const pragma = (name: string) =>
  Effect.flatMap(Database, ({ writer }) =>
    Effect.map(writer, (writer) => Object.values(writer.get<Record<string, unknown>>(`PRAGMA ${name}`) ?? {})[0])
  )

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

/** A database made by another program. */
const foreign = (path: string, ...statements: ReadonlyArray<string>) => {
  const connection = new Sqlite(path)
  for (const statement of statements) connection.exec(statement)
  connection.close()
}

describe("a new database", () => {
  it.scopedLive("is for its owner alone: folder, file, log and shared memory", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "deep", "data")
      yield* within(
        data,
        Effect.sync(() => {
          expect(mode(data)).toBe("700")
          expect(readdirSync(data).toSorted()).toEqual(["skein.db", "skein.db-shm", "skein.db-wal"])
          for (const name of readdirSync(data)) expect([name, mode(join(data, name))]).toEqual([name, "600"])
        })
      )
    })
  )

  it.scopedLive("leaves no other file when it is closed", () =>
    Effect.gen(function* () {
      const data = yield* folder
      yield* opened(data)
      expect(readdirSync(data)).toEqual(["skein.db"])
    })
  )

  it.scopedLive("has the configured synchronous mode, WAL, foreign keys and no busy timeout", () =>
    Effect.gen(function* () {
      const data = yield* folder
      expect(yield* within(data, pragma("synchronous"))).toBe(2)
      expect(yield* within(data, pragma("synchronous"), { synchronous: "NORMAL" })).toBe(1)
      expect(yield* within(data, pragma("journal_mode"))).toBe("wal")
      expect(yield* within(data, pragma("foreign_keys"))).toBe(1)
      expect(yield* within(data, pragma("busy_timeout"))).toEqual(0)
    })
  )

  it.scopedLive("may replace an empty file", () =>
    Effect.gen(function* () {
      const data = yield* folder
      writeFileSync(join(data, "skein.db"), "")
      yield* opened(data)
      expect(yield* within(data, pragma("user_version"))).toBe(Migrations.newest)
    })
  )

  it.scopedLive("is found by its canonical path, whatever links lead to it", () =>
    Effect.gen(function* () {
      const root = yield* folder
      mkdirSync(join(root, "real"))
      symlinkSync(join(root, "real"), join(root, "link"))
      const path = yield* within(
        join(root, "link"),
        Effect.map(Database, ({ path }) => path)
      )
      expect(path.endsWith(join("real", "skein.db"))).toBe(true)
      renameSync(path, join(root, "real", "elsewhere.db"))
      symlinkSync(join(root, "real", "elsewhere.db"), path)
      const resolved = yield* within(
        join(root, "link"),
        Effect.map(Database, ({ path }) => path)
      )
      expect(resolved.endsWith(join("real", "elsewhere.db"))).toBe(true)
    })
  )
})

it.scopedLive("opening a database that is up to date writes nothing", () =>
  Effect.gen(function* () {
    const data = yield* folder
    yield* opened(data)
    const before = readFileSync(join(data, "skein.db"))
    yield* opened(data)
    expect(readFileSync(join(data, "skein.db")).equals(before)).toBe(true)
  })
)

it.scopedLive("a migration that cannot be finished leaves the file as it was, and can be tried again", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const path = join(data, "skein.db")
    foreign(path, "PRAGMA journal_mode = WAL", "PRAGMA application_id = 0x736b6569", "CREATE TABLE runs (x)")
    expect(yield* refused(opened(data))).toMatchObject({ _tag: "StorageFailed", operation: "open the database" })
    const connection = new Sqlite(path)
    expect(connection.prepare("SELECT name FROM sqlite_schema").pluck().all()).toEqual(["runs"])
    connection.exec("DROP TABLE runs")
    connection.close()
    yield* opened(data)
  })
)

describe("a file that cannot be used is refused and left as it was", () => {
  /** Prepares a folder's file with `make`; opening it must be refused for `reason` and change no byte. */
  const refuses = (name: string, reason: string, make: (path: string) => void) =>
    it.scopedLive(`${name}: ${reason}`, () =>
      Effect.gen(function* () {
        const data = yield* folder
        const path = join(data, "skein.db")
        make(path)
        const before = readFileSync(path)
        expect(yield* refused(opened(data, { busyMaxMillis: 20 }))).toMatchObject({
          _tag: "StorageUnusable",
          reason
        })
        expect(readFileSync(path).equals(before)).toBe(true)
      })
    )

  refuses("a text", "not-a-database", (path) => writeFileSync(path, "once upon a time ".repeat(100)))
  refuses("a short text", "not-a-database", (path) => writeFileSync(path, "?"))
  refuses("a database of another application", "foreign-database", (path) =>
    foreign(path, "PRAGMA application_id = 42", "CREATE TABLE theirs (x)")
  )
  refuses("a database without an application id", "foreign-database", (path) =>
    foreign(path, "CREATE TABLE theirs (x)")
  )
  refuses("another application's database in WAL mode", "foreign-database", (path) =>
    foreign(path, "PRAGMA journal_mode = WAL", "CREATE TABLE theirs (x)")
  )
  refuses("an empty database with a version", "foreign-database", (path) => foreign(path, "PRAGMA user_version = 7"))
  refuses("a database of a newer version", "newer-version", (path) =>
    foreign(path, "PRAGMA application_id = 0x736b6569", "PRAGMA user_version = 999", "CREATE TABLE ours (x)")
  )
  refuses("a database whose end is missing", "damaged", (path) => {
    foreign(path, "PRAGMA application_id = 0x736b6569", "CREATE TABLE a (x)", "CREATE TABLE b (x)")
    truncateSync(path, 5000)
  })
  refuses("a database with two names", "hard-linked", (path) => {
    foreign(path, "PRAGMA application_id = 0x736b6569")
    linkSync(path, `${path}.twin`)
  })

  it.scopedLive("a database that another connection holds exclusively: locked", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const path = join(data, "skein.db")
      foreign(path, "CREATE TABLE theirs (x)")
      const before = readFileSync(path)
      yield* Effect.acquireRelease(
        Effect.sync(() => new Sqlite(path)),
        (connection) => Effect.sync(() => connection.close())
      ).pipe(Effect.map((connection) => connection.exec("BEGIN EXCLUSIVE")))
      expect(yield* refused(opened(data, { busyMaxMillis: 50 }))).toMatchObject({ reason: "locked" })
      expect(readFileSync(path).equals(before)).toBe(true)
    })
  )

  it.scopedLive("a folder in the file's place: not-a-database", () =>
    Effect.gen(function* () {
      const data = yield* folder
      mkdirSync(join(data, "skein.db"))
      expect(yield* refused(opened(data))).toMatchObject({ reason: "not-a-database" })
    })
  )

  it.scopedLive("a data folder that is a file, or below one: no-access", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "file")
      writeFileSync(file, "")
      for (const data of [file, join(file, "data")]) {
        expect(yield* refused(opened(data))).toMatchObject({ _tag: "StorageUnusable", reason: "no-access" })
      }
    })
  )
})

it.scopedLive("a database whose last writer died in the middle of its creation is recovered", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const path = join(data, "skein.db")
    writeFileSync(path, "")
    const connection = new Sqlite(path)
    connection.exec("PRAGMA cache_size = 1; BEGIN IMMEDIATE; CREATE TABLE half (x)")
    const insert = connection.prepare("INSERT INTO half VALUES (?)")
    for (let row = 0; row < 200; row++) insert.run("x".repeat(1000))
    const journal = readFileSync(`${path}-journal`)
    const half = readFileSync(path)
    connection.close()
    writeFileSync(path, half)
    writeFileSync(`${path}-journal`, journal)
    yield* opened(data)
    expect(existsSync(`${path}-journal`)).toBe(false)
    expect(yield* within(data, pragma("user_version"))).toBe(Migrations.newest)
  })
)
