/**
 * A file under its final name is on disk: the file is synced before it gets the name, and the folder of the name
 * afterwards.
 */
import { expect } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { newest } from "../../../src/adapters/sqlite/Migrations.js"
import * as Golden from "../../support/golden/Golden.js"
import * as Program from "../../unit/adapters/cli/Program.js"
import { assetFile, assetText, databaseIn, populate, spoil } from "../../unit/adapters/sqlite/populated.js"
import { withShim } from "./Machine.js"
import * as Shim from "./Shim.js"

/** The program in a home folder, whose file calls below that folder can be traced. */
const machine = Effect.gen(function* () {
  const home = yield* Program.make()
  const shim = yield* Shim.make(home.at("."))
  /**
   * Runs a command; returns its syncs, links and renames in order, without immediate repetitions and without the
   * removal of its workplace.
   */
  const traced = (...args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const before = shim.trace().length
      shim.set({ trace: true })
      expect(yield* home.run(args, shim.env)).toMatchObject({ code: 0 })
      shim.set({})
      return shim
        .trace()
        .slice(before)
        .filter(({ call }) => call === "sync" || call === "link" || call === "rename")
        .map(({ call, file }) => `${call} ${file}`)
        .filter((step, index, all) => step !== all[index - 1] && !step.endsWith(".removed"))
    })
  return { home, shim, traced }
})

/** Whether a file's last change was followed by a sync. */
const isSynced = (shim: Shim.Shim, name: string): boolean =>
  shim
    .trace()
    .filter(({ call, file }) => file === name && ["write", "truncate", "sync"].includes(call))
    .at(-1)?.call === "sync"

withShim("a backup is synced before it gets its name, and its folder afterwards", () =>
  Effect.gen(function* () {
    const { home, shim, traced } = yield* machine
    yield* populate(home.data)
    const steps = yield* traced("backup", "../all.skein")
    expect(isSynced(shim, "backup")).toBe(true)
    expect(steps.slice(-3)).toEqual(["sync backup", "link all.skein", `sync ${basename(home.at("."))}`])
  })
)

withShim("a restore syncs each file and folder before any is in place, and the data folder after each rename", () =>
  Effect.gen(function* () {
    const { home, traced } = yield* machine
    yield* populate(home.data)
    yield* traced("backup", "../all.skein")
    const steps = yield* traced("restore", "../all.skein", "--data", home.at("fresh"))
    const content = basename(assetFile(home.data))
    const [workplace = ""] = steps.filter((step) => step.startsWith("sync .restore."))
    const placing = steps.indexOf("rename assets")
    expect(new Set(steps.slice(0, placing))).toEqual(
      new Set(["sync skein.db", `sync ${content}`, "sync assets", "sync one", workplace])
    )
    expect(steps.slice(placing)).toEqual(["rename assets", "sync fresh", "rename skein.db", "sync fresh"])
  })
)

withShim("the copy before a migration and its folder are synced before the migration, and its name afterwards", () =>
  Effect.gen(function* () {
    const { home, shim, traced } = yield* machine
    Golden.copy(join(Golden.golden("0.1.0"), "data"), home.data)
    const steps = yield* traced("sessions", "list")
    const copy = readdirSync(home.data).find((name) => name.includes(".before-")) ?? ""
    const partial = `skein.db.before-${newest}.partial`
    expect(isSynced(shim, partial)).toBe(true)
    // SQLite also syncs it between its own steps; the last sync is the one that counts.
    expect(steps.slice(steps.lastIndexOf(`sync ${partial}`)).slice(0, 6)).toEqual([
      `sync ${partial}`,
      "sync data",
      "sync skein.db-wal",
      "sync data",
      `rename ${copy}`,
      "sync data"
    ])
  })
)

/** A data folder whose database has a damaged page. */
const damage = (data: string) => {
  const connection = new Sqlite(databaseIn(data))
  const page = connection.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'runs_active'").pluck()
  spoil(databaseIn(data), page.get() ?? 0)
  connection.close()
}

withShim("a rebuilt database takes its name only once it and the damaged one's name in aside are synced", () =>
  Effect.gen(function* () {
    const { home, shim, traced } = yield* machine
    yield* populate(home.data)
    damage(home.data)
    const steps = yield* traced("doctor", "--repair")
    const [time = ""] = readdirSync(join(home.data, "aside"))
    const exchange = steps.lastIndexOf("link skein.db")
    expect(isSynced(shim, "skein.db.rebuilt")).toBe(true)
    expect(steps.slice(0, exchange)).toContain("sync skein.db.rebuilt")
    expect(steps.slice(exchange, exchange + 8)).toEqual([
      "link skein.db",
      "rename skein.db-wal",
      "rename skein.db-shm",
      `sync ${time}`,
      "sync aside",
      "sync data",
      "rename skein.db",
      "sync data"
    ])
  })
)

withShim("the old content of a replaced row is synced before the change is", () =>
  Effect.gen(function* () {
    const { home, traced } = yield* machine
    yield* populate(home.data)
    const connection = new Sqlite(databaseIn(home.data))
    connection.exec("UPDATE messages SET body = 'lost' WHERE session = 1 AND seq = 1")
    connection.close()
    const steps = yield* traced("doctor", "--repair")
    const [time = ""] = readdirSync(join(home.data, "aside"))
    const kept = steps.indexOf("sync one-message-1.json")
    expect(steps.slice(kept, kept + 5)).toEqual([
      "sync one-message-1.json",
      "sync rows",
      `sync ${time}`,
      "sync aside",
      "sync data"
    ])
    expect(steps.slice(kept + 5).some((step) => step.startsWith("sync skein.db"))).toBe(true)
  })
)

withShim("a restore that is killed at any of its renames leaves no database, and the next one restores it all", () =>
  Effect.gen(function* () {
    const { home, shim, traced } = yield* machine
    yield* populate(home.data)
    yield* traced("backup", "../all.skein")
    const fresh = home.at("fresh")
    // In the way, so that it must be moved aside first.
    mkdirSync(join(fresh, "assets", "old"), { recursive: true, mode: 0o700 })
    writeFileSync(join(fresh, "assets", "old", "a.txt"), "old")
    chmodSync(fresh, 0o700)
    for (const path of ["/aside/", "/fresh/assets", "/fresh/skein.db"]) {
      shim.set({ rules: [{ call: "rename", path, does: "kill" }] })
      const { signal } = yield* home.run(["restore", "../all.skein", "--data", fresh], shim.env)
      expect([path, signal, existsSync(databaseIn(fresh))]).toEqual([path, "SIGKILL", false])
    }
    shim.set({})
    expect(yield* home.run(["restore", "../all.skein", "--data", fresh], shim.env)).toMatchObject({ code: 0 })
    expect(readFileSync(assetFile(fresh), "utf8")).toBe(assetText)
    expect(yield* home.run(["doctor", "--data", fresh])).toMatchObject({ code: 0 })
    const shown = Program.sessions(yield* home.run(["sessions", "list", "--json", "--data", fresh]))
    expect(shown.map(({ id }) => id).toSorted()).toEqual(["one", "two"])
    const aside = readdirSync(join(fresh, "aside"), { recursive: true, encoding: "utf8" })
    expect(aside.filter((name) => name.endsWith("/old/a.txt"))).toHaveLength(1)
  })
)
