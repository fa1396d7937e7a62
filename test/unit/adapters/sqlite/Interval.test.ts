/** Backups at intervals: their names, and which of the older ones are removed, and when. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Interval from "../../../../src/adapters/sqlite/backup/Interval.js"
import { folder } from "../../services/storage/disk.js"
import { layer, type OnProgress, restore } from "./backingUp.js"
import { databaseIn, populate, tamper } from "./populated.js"

const place = Effect.gen(function* () {
  const root = yield* folder
  const data = join(root, "data")
  yield* populate(data)
  const backups = join(root, "backups")
  mkdirSync(backups)
  return { root, data, backups, names: () => readdirSync(backups).toSorted() }
})

/** Makes a backup at the given time. */
const makeAt = (at: string, data: string, folder: string, keep: number, onProgress: OnProgress = () => Effect.void) =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const millis = Date.parse(at)
    const fixed: Clock.Clock = {
      ...clock,
      currentTimeNanos: clock.currentTimeNanos,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeMillis: Effect.succeed(millis),
      unsafeCurrentTimeMillis: () => millis,
      sleep: (duration) => clock.sleep(duration)
    }
    return yield* Effect.withClock(Interval.make({ data, database: databaseIn(data), folder, keep, onProgress }), fixed)
  }).pipe(Effect.provide(layer))

const nameOf = (at: string) => `skein-${at.replace(/[-:]/g, "")}.skein`

const day = (number: number) => `2026-11-0${number}T06:00:00.000Z`

describe("backups at intervals", () => {
  it.scopedLive("are named by their times, and the newest are kept", () =>
    Effect.gen(function* () {
      const { backups, data, names, root } = yield* place
      for (const number of [1, 2, 3, 4]) {
        const made = yield* makeAt(day(number), data, backups, 3)
        expect(made.file).toBe(join(backups, nameOf(day(number))))
        expect(made.removed).toEqual(number === 4 ? [join(backups, nameOf(day(1)))] : [])
      }
      expect(names()).toEqual([2, 3, 4].map((number) => nameOf(day(number))))
      const made = yield* makeAt(day(5), data, backups, 1)
      expect(made.removed).toHaveLength(3)
      expect(names()).toEqual([nameOf(day(5))])
      yield* restore(join(root, "fresh"), made.file)
    })
  )

  it.scopedLive("leave files with other names alone, and folders and links with names like theirs", () =>
    Effect.gen(function* () {
      const { backups, data, names, root } = yield* place
      const others = [
        "skein-20250101T000000.000Z.skein.txt",
        "skein-20250101T000000Z.skein",
        "my-skein-20250101T000000.000Z.skein",
        "skein-2025.skein",
        "SKEIN-20250101T000000.000Z.skein",
        "notes"
      ]
      for (const name of others) writeFileSync(join(backups, name), name)
      mkdirSync(join(backups, "skein-20250102T000000.000Z.skein"))
      writeFileSync(join(root, "precious"), "precious")
      symlinkSync(join(root, "precious"), join(backups, "skein-20250103T000000.000Z.skein"))
      const before = names()
      yield* makeAt(day(1), data, backups, 1)
      yield* makeAt(day(2), data, backups, 1)
      expect(names()).toEqual([...before, nameOf(day(2))].toSorted())
      expect(readFileSync(join(root, "precious"), "utf8")).toBe("precious")
    })
  )

  it.scopedLive("made in the same millisecond have names of their own, and each stays whole", () =>
    Effect.gen(function* () {
      const { backups, data, names, root } = yield* place
      const made = yield* Effect.forEach([1, 2, 3], () => makeAt(day(1), data, backups, 3), { concurrency: 3 })
      expect(new Set(made.map(({ file }) => file)).size).toBe(3)
      expect(names()).toEqual(["000", "001", "002"].map((millis) => nameOf(`2026-11-01T06:00:00.${millis}Z`)))
      for (const [index, { file }] of made.entries()) yield* restore(join(root, `fresh${index}`), file)
    })
  )

  it.scopedLive("remove no backup that is newer by its name, even if a clock was wrong", () =>
    Effect.gen(function* () {
      const { backups, data, names } = yield* place
      for (const number of [1, 2, 9]) yield* makeAt(day(number), data, backups, 9)
      yield* makeAt(day(3), data, backups, 1)
      expect(names()).toEqual([3, 9].map((number) => nameOf(day(number))))
    })
  )

  it.scopedLive("remove nothing when a backup fails or has damage", () =>
    Effect.gen(function* () {
      const { backups, data, names } = yield* place
      yield* makeAt(day(1), data, backups, 1)
      const before = names()
      yield* Effect.exit(makeAt(day(2), data, backups, 1, () => Effect.interrupt))
      expect(names()).toEqual(before)
      tamper(data, "PRAGMA application_id = 7")
      expect(yield* Effect.flip(makeAt(day(2), data, backups, 1))).toMatchObject({ reason: "foreign-database" })
      expect(names()).toEqual(before)

      tamper(data, "PRAGMA application_id = 0x736b6569", "INSERT INTO grants VALUES (99, 'x')")
      const made = yield* makeAt(day(3), data, backups, 1)
      expect([made.damage.length, made.removed]).toEqual([1, []])
      expect(names()).toEqual([1, 3].map((number) => nameOf(day(number))))
      tamper(data, "DELETE FROM grants")
      expect((yield* makeAt(day(4), data, backups, 1)).removed).toHaveLength(2)
      expect(names()).toEqual([nameOf(day(4))])
    })
  )

  it.scopedLive("name the folder in which they cannot be made", () =>
    Effect.gen(function* () {
      const { backups, data, root } = yield* place
      writeFileSync(join(root, "file"), "")
      for (const [name, detail] of [
        ["none", "ENOENT"],
        ["file", "ENOTDIR"]
      ] as const) {
        const refusal = yield* Effect.flip(makeAt(day(1), data, join(root, name), 1))
        expect(refusal).toMatchObject({ _tag: "BackupFailed", reason: "no-folder", path: join(root, name), detail })
      }
      expect(readdirSync(backups)).toEqual([])
      expect(readFileSync(databaseIn(data)).length).toBeGreaterThan(0)
    })
  )
})
