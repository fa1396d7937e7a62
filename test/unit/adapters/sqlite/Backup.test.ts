import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Chunk, Effect, Option, Stream } from "effect"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import type { Asset } from "../../../../src/domain/Asset.js"
import { userText } from "../../../../src/domain/Message.js"
import { Cursor, SessionId } from "../../../../src/domain/Session.js"
import type { SessionEvent } from "../../../../src/domain/SessionEvent.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"
import { folder } from "../../services/storage/disk.js"
import { backUp, type OnProgress, restore } from "./backingUp.js"
import {
  assetFile,
  assetText,
  damages,
  databaseIn,
  engineOn,
  look,
  one,
  populate,
  tamper,
  transcript,
  two
} from "./populated.js"

/** A folder with a populated data folder, and paths in it. */
const place = Effect.gen(function* () {
  const root = yield* folder
  const data = join(root, "data")
  const asset = yield* populate(data)
  return { root, data, asset, file: join(root, "all.skein"), fresh: join(root, "fresh") }
})

/** What an engine on a folder reads: the messages and the asset of session `one`, the runs of `two`, all events. */
const contents = (data: string, asset: Asset) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const entries = yield* Stream.runCollect(gateway.transcript({ sessionId: one }))
    const bytes = yield* Stream.runCollect(gateway.openAsset({ sessionId: one, assetId: asset.id }))
    const eventsOf = Effect.fnUntraced(function* (sessionId: SessionId) {
      const { cursor } = yield* gateway.session(sessionId)
      const events = gateway.events({ sessionId, after: Cursor.make(0) })
      const isLast = (event: SessionEvent) => "cursor" in event && event.cursor === cursor
      return Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.takeUntil(events, isLast)))
    })
    return {
      runs: yield* gateway.runs({ sessionId: two }),
      events: yield* Effect.forEach([one, two], eventsOf),
      messages: Chunk.toReadonlyArray(entries).map(({ message }) => message),
      text: Buffer.concat(Chunk.toReadonlyArray(bytes)).toString()
    }
  }).pipe(Effect.provide(engineOn(data)))

/** Saves an asset of `bytes` bytes, which ends in a text. */
const saveLarge = (data: string, bytes: number, end: string) =>
  Effect.flatMap(Gateway, (gateway) =>
    gateway.saveAsset({
      sessionId: two,
      name: "large",
      mediaType: "text/plain",
      content: Stream.make(Buffer.concat([Buffer.alloc(bytes - end.length), Buffer.from(end)]))
    })
  ).pipe(Effect.provide(engineOn(data)))

const nothingWrong = (data: string) => Effect.map(look(data), (outcomes) => expect(damages(outcomes)).toEqual([]))

/** The names next to a backup, without those that were there before. */
const others = (root: string) => readdirSync(root).filter((name) => !["data", "fresh", "all.skein"].includes(name))

describe("a backup", () => {
  it.scopedLive("restored into a fresh folder is whole: messages, runs, events, assets, and no damage", () =>
    Effect.gen(function* () {
      const { asset, data, file, fresh, root } = yield* place
      expect(yield* backUp(data, file)).toMatchObject({ sessions: 2, assets: 1, damage: [], faults: [] })
      expect(others(root)).toEqual([])
      expect(statSync(file).mode & 0o777).toBe(0o600)
      const restored = yield* restore(fresh, file)
      expect(restored).toMatchObject({ sessions: 2, assets: 1, movedAside: [], remarks: [] })
      yield* nothingWrong(fresh)
      expect(
        readdirSync(fresh)
          .filter((name) => !name.startsWith("skein.db-"))
          .toSorted()
      ).toEqual(["assets", "skein.db"])
      expect([fresh, databaseIn(fresh), assetFile(fresh)].map((path) => statSync(path).mode & 0o777)).toEqual([
        0o700, 0o600, 0o600
      ])
      const restoredContents = yield* contents(fresh, asset)
      expect(restoredContents).toMatchObject({ messages: transcript, text: assetText, runs: [{ state: "ended" }] })
      expect(restoredContents).toEqual(yield* contents(data, asset))
    })
  )

  it.scopedLive("copies the database once, also where a file of an asset is missing", () =>
    Effect.gen(function* () {
      const { data, file } = yield* place
      rmSync(assetFile(data))
      let rest = Infinity
      const onProgress: OnProgress = (done, total) => Effect.sync(() => (rest = total - done))
      const { faults } = yield* backUp(data, file, onProgress)
      expect(faults.map(({ detail }) => detail)).toEqual(["missing"])
      expect(rest).toBeGreaterThanOrEqual(0)
    })
  )

  it.scopedLive("overwrites nothing, and says which database or folder is missing", () =>
    Effect.gen(function* () {
      const { data, file, root } = yield* place
      writeFileSync(file, "precious")
      expect(yield* Effect.flip(backUp(data, file))).toMatchObject({ _tag: "BackupFailed", reason: "exists" })
      expect(readFileSync(file, "utf8")).toBe("precious")
      expect(yield* Effect.flip(backUp(join(root, "none"), join(root, "b")))).toMatchObject({ reason: "no-database" })
      expect(yield* Effect.flip(backUp(data, join(root, "none", "b")))).toMatchObject({
        reason: "no-folder",
        path: join(root, "none"),
        detail: "ENOENT"
      })
      expect(yield* Effect.flip(backUp(data, join(file, "b")))).toMatchObject({
        reason: "no-folder",
        detail: "ENOTDIR"
      })
      expect(others(root)).toEqual([])
    })
  )

  it.scopedLive("that loses the race for its name leaves the winner's file, and nothing of itself", () =>
    Effect.gen(function* () {
      const { data, file, root } = yield* place
      const meanwhile = () => Effect.sync(() => writeFileSync(file, "somebody else's"))
      expect(yield* Effect.flip(backUp(data, file, meanwhile))).toMatchObject({ reason: "exists" })
      expect(readFileSync(file, "utf8")).toBe("somebody else's")
      expect(others(root)).toEqual([])
    })
  )

  it.scopedLive("that is interrupted leaves nothing", () =>
    Effect.gen(function* () {
      const { data, file, root } = yield* place
      yield* Effect.exit(backUp(data, file, () => Effect.interrupt))
      expect([existsSync(file), others(root)]).toEqual([false, []])
    })
  )

  it.scopedLive("that differs on disk from what was read is not made", () =>
    Effect.gen(function* () {
      const { data, file, root } = yield* place
      const end = "the end"
      yield* saveLarge(data, 1024 * 1024, end)
      const spoil = (done: number, total: number) =>
        Effect.sync(() => {
          const [workplace] = readdirSync(root).filter((name) => name.startsWith(".backup."))
          // By now the database has been read back, but no asset.
          if (workplace === undefined || done < total - 1024 * 1024 - assetText.length) return
          const unfinished = join(root, workplace, "backup")
          const bytes = readFileSync(unfinished)
          const at = bytes.lastIndexOf(end)
          if (at >= 0) bytes.writeUInt8(0x21, at)
          writeFileSync(unfinished, bytes)
        })
      const refusal = yield* Effect.flip(backUp(data, file, spoil))
      expect(refusal).toMatchObject({ _tag: "BackupFailed", reason: "not-written" })
      expect([existsSync(file), others(root)]).toEqual([false, []])
    })
  )

  it.scopedLive("of a foreign, newer or damaged database is refused", () =>
    Effect.gen(function* () {
      const { data, file, root } = yield* place
      tamper(data, "PRAGMA user_version = 999")
      expect(yield* Effect.flip(backUp(data, file))).toMatchObject({ reason: "newer-version" })
      tamper(data, "PRAGMA user_version = 1", "PRAGMA application_id = 7")
      expect(yield* Effect.flip(backUp(data, file))).toMatchObject({ reason: "foreign-database" })
      truncateSync(databaseIn(data), 8192)
      expect(yield* Effect.flip(backUp(data, file))).toMatchObject({ reason: "damaged" })
      expect([existsSync(file), others(root)]).toEqual([false, []])
    })
  )

  it.scopedLive("works in pieces of 1 MiB with a turn of the event loop for each, as a restore does", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* place
      yield* saveLarge(data, 5 * 1024 * 1024 + 1, "")
      const backing = (onProgress: OnProgress) => Effect.asVoid(backUp(data, file, onProgress))
      const restoring = (onProgress: OnProgress) => Effect.asVoid(restore(fresh, file, onProgress))
      for (const work of [backing, restoring]) {
        let turn = 0
        let isOver = false
        const count = () => {
          turn++
          if (!isOver) setImmediate(count)
        }
        setImmediate(count)
        const steps: Array<{ readonly turn: number; readonly done: number; readonly total: number }> = []
        yield* work((done, total) => Effect.sync(() => void steps.push({ turn, done, total })))
        isOver = true
        const last = steps.at(-1)
        expect(last?.done).toBe(last?.total)
        // First a process of its own copies the database.
        const copied = work === restoring ? 0 : statSync(databaseIn(data)).size
        const own = steps.filter(({ done }) => done > copied)
        expect(new Set(own.map(({ turn }) => turn)).size).toBe(own.length)
        const pieces = own.map(({ done }, index) => done - (own[index - 1]?.done ?? copied))
        expect(Math.max(...pieces)).toBe(1024 * 1024)
      }
    })
  )
})

describe("a backup of a folder in use", () => {
  it.scopedLive("has a database and files that fit together, even if assets come and go meanwhile", () =>
    Effect.gen(function* () {
      const { asset, data, file, fresh } = yield* place
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const save = (text: string) =>
          gateway.saveAsset({ sessionId: two, mediaType: "text/plain", content: Stream.make(Buffer.from(text)) })
        const [first, second] = [yield* save("first"), yield* save("second")]
        let isFirst = true
        const meanwhile = () =>
          Effect.suspend(() => {
            if (!isFirst) return Effect.void
            isFirst = false
            return Effect.gen(function* () {
              yield* gateway.deleteAsset(one, asset.id)
              yield* gateway.deleteAsset(two, second.id)
              yield* save("third")
              yield* gateway.append(one, [userText("meanwhile")])
            }).pipe(Effect.orDie)
          })
        const made = yield* backUp(data, file, meanwhile)
        expect(isFirst).toBe(false)
        expect(made).toMatchObject({ assets: 2, damage: [], faults: [] })
        yield* gateway.deleteAsset(two, first.id)
      }).pipe(Effect.provide(engineOn(data)))
      yield* restore(fresh, file)
      yield* nothingWrong(fresh)
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        expect((yield* gateway.assets(two)).map(({ size }) => size)).toEqual([5, 5])
        expect((yield* gateway.session(one)).head).toBe(transcript.length + 1)
      }).pipe(Effect.provide(engineOn(fresh)))
    })
  )

  it.scopedLive("is made even if no file lives for as long as it takes to copy the database", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* place
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const save = gateway.saveAsset({
          sessionId: two,
          mediaType: "text/plain",
          content: Stream.make(Buffer.from("x"))
        })
        let last = yield* save
        let replaced = 0
        const replace = () =>
          Effect.gen(function* () {
            yield* gateway.deleteAsset(two, last.id)
            last = yield* save
            replaced++
          }).pipe(Effect.orDie)
        expect(yield* backUp(data, file, replace)).toMatchObject({ assets: 2, damage: [], faults: [] })
        expect(replaced).toBeGreaterThan(2)
      }).pipe(Effect.provide(engineOn(data)))
      expect(yield* restore(fresh, file)).toMatchObject({ assets: 2, remarks: [] })
      yield* nothingWrong(fresh)
    })
  )

  it.scopedLive("is whole each time, while another engine saves and deletes files and sessions", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* place
      const program = yield* bundle(new URL("changing.ts", import.meta.url), { whole: true })
      const engine = yield* Process.start(process.execPath, [program, data])
      const more = (count: number) =>
        Effect.flatMap(engine.line, (line) => {
          const from = Number(Option.getOrElse(line, () => ""))
          return Effect.repeat(engine.line, { until: Option.exists((text) => Number(text) >= from + count) })
        })
      yield* more(4)
      for (const round of ["1", "2", "3"]) {
        expect(yield* backUp(data, file + round)).toMatchObject({ damage: [], faults: [] })
        yield* more(2)
      }
      yield* engine.signal("SIGKILL")
      yield* engine.ended
      for (const round of ["1", "2", "3"]) {
        const { assets, sessions } = yield* restore(fresh + round, file + round)
        // The two sessions that were there, and those that were between being created and being deleted.
        expect([sessions, assets].every((count) => count >= 4)).toBe(true)
        yield* nothingWrong(fresh + round)
      }
    })
  )

  it.scopedLive("holds the database as of one instant, while another process keeps writing", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* place
      const program = yield* bundle(new URL("writing.ts", import.meta.url), { whole: true })
      const writer = yield* Process.start(process.execPath, [program, data])
      const until = (count: number) =>
        Effect.repeat(writer.line, { until: (line) => Option.exists(line, (text) => Number(text) >= count) })
      yield* until(30)
      yield* backUp(data, file)
      yield* until(100)
      yield* writer.signal("SIGKILL")
      yield* writer.ended
      yield* restore(fresh, file)
      yield* nothingWrong(fresh)
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const { head } = yield* gateway.session(SessionId.make("busy"))
        expect(head).toBeGreaterThanOrEqual(30)
        expect(head).toBeLessThan(
          (yield* Effect.provide(
            Effect.flatMap(Gateway, (all) => all.session(SessionId.make("busy"))),
            engineOn(data)
          )).head
        )
      }).pipe(Effect.provide(engineOn(fresh)))
    })
  )
})

describe("restoring", () => {
  it.scopedLive("is refused where there is a database, and changes nothing", () =>
    Effect.gen(function* () {
      const { data, file } = yield* place
      yield* backUp(data, file)
      const before = readFileSync(databaseIn(data))
      const refusal = yield* Effect.flip(restore(data, file))
      expect(refusal).toMatchObject({ _tag: "RestoreFailed", reason: "occupied", path: databaseIn(data) })
      expect(readFileSync(databaseIn(data)).equals(before)).toBe(true)
      expect(
        readdirSync(data)
          .filter((name) => !name.startsWith("skein.db"))
          .toSorted()
      ).toEqual(["assets"])
    })
  )

  it.scopedLive("is refused when a database appears meanwhile", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* place
      yield* backUp(data, file)
      const meanwhile = () => Effect.sync(() => writeFileSync(databaseIn(fresh), "another engine's"))
      expect(yield* Effect.flip(restore(fresh, file, meanwhile))).toMatchObject({ reason: "occupied" })
      expect(readFileSync(databaseIn(fresh), "utf8")).toBe("another engine's")
      expect(readdirSync(fresh)).toEqual(["skein.db"])
    })
  )

  /** A good backup that was changed must be refused for `reason`, and leave nothing. */
  const refuses = (name: string, reason: string, spoil: (file: string) => void) =>
    it.scopedLive(`refuses ${name}`, () =>
      Effect.gen(function* () {
        const { data, file, fresh } = yield* place
        yield* backUp(data, file)
        spoil(file)
        const refusal = yield* Effect.flip(restore(fresh, file))
        expect(refusal).toMatchObject({ _tag: "RestoreFailed", reason })
        expect(existsSync(fresh)).toBe(false)
      })
    )

  const change = (file: string, ...statements: ReadonlyArray<string>) => {
    const connection = new Sqlite(file)
    for (const statement of statements) connection.exec(statement)
    connection.close()
  }
  const byte = (file: string, from: string) => {
    const bytes = readFileSync(file)
    const at = bytes.indexOf(from)
    expect(at).toBeGreaterThan(0)
    bytes.writeUInt8(0x21, at)
    writeFileSync(file, bytes)
  }

  refuses("a missing file", "no-file", (file) => rmSync(file))
  refuses("a text", "not-a-backup", (file) => writeFileSync(file, "no backup at all ".repeat(100)))
  refuses("a database that is not a backup", "not-a-backup", (file) => change(file, "PRAGMA application_id = 7"))
  refuses("a backup in a newer format", "newer-version", (file) => change(file, "PRAGMA user_version = 2"))
  refuses("a backup that is cut off", "damaged", (file) => truncateSync(file, statSync(file).size - 8192))
  refuses("an asset with one byte changed", "damaged", (file) => byte(file, assetText))
  refuses("a database with one byte changed", "damaged", (file) => byte(file, "first question"))
  refuses("a backup that lacks an asset of its database", "damaged", (file) =>
    change(file, "DELETE FROM files WHERE name LIKE 'assets/%'")
  )
  refuses("a backup that lacks its database", "damaged", (file) =>
    change(file, "DELETE FROM files WHERE name = 'skein.db'")
  )
  refuses("file names that lead out of the folder", "damaged", (file) =>
    change(file, "UPDATE files SET name = 'assets/../../evil' WHERE name LIKE 'assets/%'")
  )

  it.scopedLive("moves what is in the way aside, and says where", () =>
    Effect.gen(function* () {
      const { asset, data, file, fresh } = yield* place
      yield* backUp(data, file)
      mkdirSync(join(fresh, "assets", "one"), { recursive: true })
      writeFileSync(join(fresh, "assets", "one", "older"), "older")
      writeFileSync(join(fresh, "skein.db-wal"), "a log of another database")
      const { movedAside } = yield* restore(fresh, file)
      expect(movedAside).toHaveLength(2)
      expect(movedAside.every((path) => existsSync(path))).toBe(true)
      expect(yield* contents(fresh, asset)).toMatchObject({ messages: transcript, text: assetText })
    })
  )
})
