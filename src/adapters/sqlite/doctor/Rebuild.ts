/**
 * Puts a new database, with all that can be read, in the place of one that is damaged. The damaged one is moved aside
 * whole, with its log.
 *
 * The new one has the schema of the damaged one, so that an older one is migrated as any other. It is written, checked
 * and synced first. Then, with everybody kept out and nothing written since, the old
 * file gets its second name in `aside`, its log is moved there, both are synced, and the new one takes its place by one
 * rename. Killed in
 * between, there is the old database under two names, which no engine opens, and a doctor says so.
 */
import { Effect } from "effect"
import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import { type Step, steps } from "../../../services/storage/sql/schema/Steps.js"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import * as Migrations from "../Migrations.js"
import * as Sync from "../Sync.js"
import { partsOf } from "./DatabaseCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import { type Repaired, repaired } from "./Finding.js"
import type * as Pages from "./Pages.js"
import * as PageTables from "./PageTables.js"
import * as Salvage from "./Salvage.js"
import type { Aside } from "../Aside.js"

/** What changes when anybody writes. */
const stampOf = (path: string): string =>
  partsOf(path)
    .filter((part) => !part.endsWith(DataLayout.sharedMemoryEnding))
    .map((part) => statSync(part, { bigint: true }))
    .map(({ mtimeNs, size }) => `${size} ${mtimeNs}`)
    .join(", ")

const failed = (thrown: unknown) =>
  thrown instanceof StorageUnusable || thrown instanceof StorageFailed
    ? thrown
    : new StorageFailed({ operation: "rebuild the database", code: codeOf(thrown) })

const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: failed })

const inUse = (path: string) => new StorageUnusable({ path, reason: "locked", detail: "another process has it open" })

/** The steps that made a database's schema; all of them when its version makes no sense. */
const stepsOf = ({ version }: Pages.Pages): ReadonlyArray<Step> =>
  version > 0 && version < steps.length ? steps.slice(0, version) : steps

/** A new database of this schema. */
const begin = (path: string, schema: ReadonlyArray<Step>) =>
  attempt(() => {
    rmSync(path, { force: true })
    closeSync(openSync(path, "wx", 0o600))
    const connection = Driver.open(path, {})
    connection.pragma("auto_vacuum = INCREMENTAL")
    connection.exec("VACUUM")
    connection.close()
  }).pipe(Effect.zipRight(Migrations.migrate(path, schema)))

/**
 * Fills the new database. Returns what became of the rows. Fails when there were sessions and none can be read: nothing
 * is to take the place of a database that may still be read by other means.
 */
const fill = (source: Pages.Pages, path: string): Salvaged => {
  const target = Driver.open(path, { fileMustExist: true })
  try {
    target.pragma("foreign_keys = OFF")
    // It is synced once, when it is whole.
    target.pragma("synchronous = OFF")
    target.exec("BEGIN IMMEDIATE")
    const filled = Salvage.copy(source, target)
    target.exec("COMMIT")
    const sessions = target.prepare<[], number>("SELECT count(*) FROM session_rows").pluck().get()
    if (sessions === 0 && filled.rows.every(({ kept }) => kept === 0)) {
      throw new StorageFailed({ operation: "rebuild the database", code: "NO_SESSION_READ" })
    }
    if (target.pragma("integrity_check(1)", { simple: true }) !== "ok") {
      throw new StorageFailed({ operation: "rebuild the database", code: "SQLITE_CORRUPT" })
    }
    return filled
  } finally {
    target.close()
  }
}

const exchange = (path: string, rebuilt: string, aside: Aside): string => {
  const beside = partsOf(path).filter((part) => part !== path)
  const kept = DataLayout.databaseIn(aside.folder())
  try {
    linkSync(path, kept)
  } catch {
    // Where a file cannot have two names.
    beside.map(aside.move)
    aside.move(path)
  }
  beside.filter((part) => existsSync(part)).map(aside.move)
  aside.sync()
  renameSync(rebuilt, path)
  Sync.folder(dirname(path))
  return kept
}

/** What became of the rows of a damaged database, and the ids of sessions that had lost their own row. */
export type Salvaged = Pick<Repaired, "rows" | "recovered">

/**
 * Writes what can be read of the database at `from` into a new one at `to`, which is synced. Fails, and leaves nothing at
 * `to`, when no session can be read. `from` is only read; nobody may write to it meanwhile.
 */
export const salvage = ({ from, to }: { readonly from: string; readonly to: string }) =>
  Effect.gen(function* () {
    const source = yield* Effect.acquireRelease(
      attempt(() => PageTables.open(from).pages),
      (pages) => Effect.sync(() => pages.close())
    )
    yield* begin(to, stepsOf(source))
    const salvaged: Salvaged = yield* attempt(() => fill(source, to))
    yield* attempt(() => Sync.file(to))
    return salvaged
  }).pipe(
    Effect.scoped,
    Effect.onError(() => Effect.sync(() => rmSync(to, { force: true })))
  )

/** Rebuilds the database at `path`. Fails as locked while another process has it open. */
export const run = (path: string, aside: Aside) =>
  Effect.gen(function* () {
    yield* Effect.scoped(FreshProcess.hold(path))
    const rebuilt = DataLayout.rebuiltOf(path)
    const before = yield* attempt(() => stampOf(path))
    const salvaged = yield* salvage({ from: path, to: rebuilt })
    yield* FreshProcess.hold(path)
    if ((yield* attempt(() => stampOf(path))) !== before) return yield* inUse(path)
    const kept = yield* attempt(() => exchange(path, rebuilt, aside))
    return repaired({ ...salvaged, aside: [kept] })
  }).pipe(
    Effect.onError(() => Effect.sync(() => rmSync(DataLayout.rebuiltOf(path), { force: true }))),
    Effect.scoped
  )
