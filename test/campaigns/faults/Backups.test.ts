/**
 * Backups and restores that are stopped, killed, or run out of disk: the result is either whole or not there at all.
 */
import { afterAll, beforeAll, describe, expect } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Program from "../../unit/adapters/cli/Program.js"
import * as Findings from "../../../src/adapters/cli/texts/Findings.js"
import { backUp, restore } from "../../unit/adapters/sqlite/backingUp.js"
import { look, populate } from "../../unit/adapters/sqlite/populated.js"
import { eventually } from "../../support/Eventually.js"
import * as Golden from "../../support/golden/Golden.js"
import * as Long from "../../support/Long.js"
import * as Process from "../../support/programs/Process.js"
import * as NoAlarm from "../../support/verdicts/NoAlarm.js"
import { disk, nobody, withMounts, withNobody, withShim } from "./Machine.js"
import * as Shim from "./Shim.js"

/** Holds a data folder with sessions and a backup of it, which the tests copy. */
const root = mkdtempSync(join(tmpdir(), "skein-backups-"))
const backed = join(root, "made.skein")

beforeAll(() =>
  Effect.gen(function* () {
    const home = yield* Program.make()
    yield* populate(home.data)
    cpSync(home.data, join(root, "data"), { recursive: true })
    yield* backUp(home.data, backed)
  }).pipe(Effect.scoped, Effect.runPromise)
)
afterAll(() => rmSync(root, { recursive: true }))

/** The program in a home folder with sessions, and a shim for its file calls there. */
const machine = Effect.gen(function* () {
  const home = yield* Program.make()
  const shim = yield* Shim.make(home.at("."))
  Golden.copy(join(root, "data"), home.data)
  const names = (path = ".") => (existsSync(home.at(path)) ? readdirSync(home.at(path)).toSorted() : [])
  const fresh = home.at("fresh")
  return { home, shim, names, fresh }
})

type Call = Shim.Rule["call"]
type Moment = readonly [call: Call, path: string, after: number]

/** Moments of a backup; every second one from the first is in another process: the copying, the doctor's, its own. */
const ofBackup: ReadonlyArray<Moment> = [
  ["write", ".unfinished/skein.db", 5],
  ["write", ".unfinished/backup", 5],
  ["read", ".unfinished/skein.db", 5],
  ["read", ".unfinished/backup", 3],
  ["sync", ".unfinished/backup", 0]
]

const ofRestore: ReadonlyArray<Moment> = [
  ["write", ".unfinished/skein.db", 0],
  ["read", ".unfinished/skein.db", 5],
  ["sync", ".unfinished/assets/", 0]
]

/** Moments at which something is put into its final place. */
const placingBackup: ReadonlyArray<Moment> = [["link", "all.skein", 0]]
const placingRestore: ReadonlyArray<Moment> = [
  ["rename", "/fresh/assets", 0],
  ["rename", "/fresh/skein.db", 0]
]

const backingUp = ["backup", "../all.skein"]
const restoring = ["restore", "../made.skein", "--data", "../fresh"]

describe("stopped by Ctrl-C", () => {
  for (const [args, [call, path, after]] of [
    ...Long.some(ofBackup, 2).map((moment) => [backingUp, moment] as const),
    ...ofRestore.map((moment) => [restoring, moment] as const)
  ]) {
    withShim(`a ${args[0]} leaves nothing behind, not even a folder that it made: ${call} ${path}`, () =>
      Effect.gen(function* () {
        const { home, names, shim } = yield* machine
        copyFileSync(backed, home.at("made.skein"))
        const before = names()
        shim.set({ trace: true, rules: [{ call, path, after, times: 1, does: { takesMillis: 700 } }] })
        const running = yield* home.start(args, shim.env)
        yield* eventually(Effect.sync(shim.trace), (trace) => trace.some(({ outcome }) => outcome === "delay"))
        yield* running.signal("SIGINT")
        const { signal, stderr, stdout } = yield* running.ended
        expect([signal, stdout, Program.withoutProgress(stderr)]).toEqual(["SIGINT", "", ""])
        expect(names()).toEqual(before)
      })
    )
  }
})

describe("killed", () => {
  for (const [call, path, after] of [...ofBackup, ...placingBackup]) {
    withShim(`a backup leaves no file under its name, and the next one clears up: ${call} ${path}`, () =>
      Effect.gen(function* () {
        const { fresh, home, names, shim } = yield* machine
        shim.set({ rules: [{ call, path, after, times: 1, does: "kill" }] })
        const killed = yield* home.run(backingUp, shim.env)
        shim.set({})
        expect(names()).not.toContain("all.skein")
        // The killed process may be one that the command started.
        if (killed.signal === null) {
          expect([killed.code, Program.isOneLine(killed.stderr)]).toEqual([1, true])
          expect(names()).toEqual(["data", "work"])
        }
        yield* backUp(home.data, home.at("all.skein"))
        expect(names()).toEqual(["all.skein", "data", "work"])
        yield* restore(fresh, home.at("all.skein"))
      })
    )
  }

  for (const [call, path, after] of [...ofRestore, ...placingRestore]) {
    withShim(`a restore leaves no database, and the next one clears up: ${call} ${path}`, () =>
      Effect.gen(function* () {
        const { fresh, home, names, shim } = yield* machine
        copyFileSync(backed, home.at("made.skein"))
        shim.set({ rules: [{ call, path, after, times: 1, does: "kill" }] })
        const killed = yield* home.run(restoring, shim.env)
        shim.set({})
        expect(existsSync(join(fresh, "skein.db"))).toBe(false)
        if (killed.signal === null) {
          expect([killed.code, Program.isOneLine(killed.stderr), existsSync(fresh)]).toEqual([1, true, false])
        } else {
          const found = (yield* look(fresh)).map(Findings.line)
          expect(found).toContainEqual(expect.stringContaining("left by a killed backup or restore"))
        }
        yield* restore(fresh, home.at("made.skein"))
        // The assets that a killed restore had put there were its own, so they are not kept aside.
        expect(names("fresh")).toEqual(["assets", "skein.db"])
        expect(yield* NoAlarm.alarmsIn(fresh)).toEqual([])
      })
    )
  }
})

const leave = (mounted: string, bytes: number) => {
  const filler = join(mounted, "filler")
  rmSync(filler, { force: true })
  const { bavail, bsize } = statfsSync(mounted)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
}

describe("on a full disk", () => {
  for (const [name, rooms, argsOf, atOf] of [
    [
      "a backup",
      [100_000, 60_000, 0],
      (disk: string) => ["backup", join(disk, "all.skein")],
      (disk: string) => join(disk, "all.skein")
    ],
    [
      "a backup that keeps others",
      [0, 60_000, 100_000],
      (disk: string) => ["backup", "--keep", "2", disk],
      (disk: string) => disk
    ],
    [
      "a restore",
      [60_000, 0, 100_000],
      (disk: string) => ["restore", "../made.skein", "--data", join(disk, "fresh")],
      (disk: string) => join(disk, "fresh")
    ]
  ] as const) {
    withMounts(`${name} says that the disk is full and where, and leaves nothing behind`, () =>
      Effect.gen(function* () {
        const { home } = yield* machine
        const mounted = yield* disk(2 * 1024 * 1024)
        copyFileSync(backed, home.at("made.skein"))
        const args = argsOf(mounted)
        for (const room of Long.some(rooms, 3)) {
          leave(mounted, room)
          const { code, stderr, stdout } = yield* home.run(args)
          expect([room, code, stdout, Program.isOneLine(stderr)]).toEqual([room, 1, "", true])
          expect(stderr).toContain("the disk is full")
          expect(stderr).toContain(atOf(mounted))
          expect(readdirSync(mounted)).toEqual(["filler"])
        }
        leave(mounted, 1024 * 1024)
        expect(yield* home.run(args)).toMatchObject({ code: 0 })
      })
    )
  }
})

describe("from a disk that takes no writes", () => {
  for (const [name, close] of [
    ["full", (mounted: string) => leave(mounted, 0)],
    ["read-only", (mounted: string) => execFileSync("mount", ["-o", "remount,ro", mounted])]
  ] as const) {
    withMounts(`a backup to another disk is whole: ${name}`, () =>
      Effect.gen(function* () {
        const { fresh, home } = yield* machine
        const mounted = yield* disk(2 * 1024 * 1024)
        const data = join(mounted, "data")
        cpSync(home.data, data, { recursive: true })
        chmodSync(data, 0o700)
        close(mounted)
        const made = yield* home.run(["backup", "../all.skein", "--data", data])
        expect(made).toMatchObject({ code: 0 })
        expect(made.stdout).toContain("Backed up 2 sessions and 1 file")
        yield* restore(fresh, home.at("all.skein"))
        expect(yield* NoAlarm.alarmsIn(fresh)).toEqual([])
      })
    )
  }
})

describe("as another user", () => {
  withNobody("a path that cannot be written or removed is named in the error", () =>
    Effect.gen(function* () {
      const { home } = yield* machine
      chmodSync(home.at("."), 0o755)
      execFileSync("chown", ["-R", "65534:65534", home.data])
      const asNobody = (...args: ReadonlyArray<string>) =>
        Effect.scoped(
          Effect.flatMap(
            Process.start(
              nobody[0],
              [...nobody.slice(1), process.execPath, Program.program, ...args, "--data", home.data],
              {
                cwd: home.workdir,
                env: { HOME: home.at("."), PATH: process.env["PATH"] ?? "" }
              }
            ),
            ({ ended }) => ended
          )
        )
      const closed = home.at("closed")
      mkdirSync(closed, { mode: 0o755 })
      for (const args of [
        ["backup", join(closed, "all.skein")],
        ["backup", "--keep", "1", closed]
      ]) {
        const refused = yield* asNobody(...args)
        expect([refused.code, Program.isOneLine(refused.stderr)]).toEqual([1, true])
        expect(refused.stderr).toContain(`${closed}: permission denied`)
      }
      // Only their owner can remove files in this folder.
      const shared = home.at("shared")
      mkdirSync(shared)
      chmodSync(shared, 0o1777)
      const older = join(shared, "skein-20250101T000000.000Z.skein")
      writeFileSync(older, "")
      const made = yield* asNobody("backup", "--keep", "1", shared)
      expect([made.code, Program.isOneLine(made.stderr)]).toEqual([1, true])
      expect(made.stderr).toContain(`${older} cannot be removed`)
      expect(readdirSync(shared)).toHaveLength(2)
    })
  )
})
