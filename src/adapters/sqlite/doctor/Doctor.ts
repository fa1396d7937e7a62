/**
 * Checks a data folder for damage of any kind, and repairs what it can: the folder, the database's file, rows that concern
 * several sessions, each session with the files of its assets, and files that belong to nothing.
 *
 * A check changes nothing, and can run while engines use the folder. A repair requires that no other process has the
 * database open. It deletes nothing that it cannot explain: files in the way are moved to `aside/<time>/`, and losses are
 * reported. After each repair the doctor checks again, and repairs what that brings to light. What is still wrong in the
 * end could not be repaired. Damage in one session never stops the check of another.
 */
import { Clock, Effect } from "effect"
import { accessSync, constants, existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import { make, type Outcome } from "../../../services/storage/sql/doctor/Finding.js"
import * as Judging from "../../../services/storage/sql/doctor/Judging.js"
import * as RowDoctor from "../../../services/storage/sql/doctor/RowDoctor.js"
import * as Treatment from "../../../services/storage/sql/doctor/Treatment.js"
import { codeOf } from "../../ErrorCode.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import * as AssetCheck from "./AssetCheck.js"
import * as AssetFile from "./AssetFile.js"
import * as Connection from "./Connection.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Repairs from "./Repairs.js"

type Outcomes = ReadonlyArray<Outcome>
type Failure = StorageUnusable | StorageFailed

interface Task {
  /** The path of the database. */
  readonly path: string
  /** Checks of files. Each runs only if the earlier ones found their files sound. */
  readonly looks: ReadonlyArray<Effect.Effect<Treatment.Look, StorageFailed, Engines>>
  /** Where a repair moves files that are in the way. Null for a check. */
  readonly aside: Aside.Aside | null
  /** Whether the files of assets are checked as well. */
  readonly hasFiles: boolean
}

/** Treats files and, if they are sound, their content. */
const treat = (task: Task): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    const { aside, hasFiles, looks, path } = task
    const repair = aside === null ? null : Repairs.ofFiles(aside)
    const outcomes: Array<Outcome> = []
    for (const look of looks) {
      const { isSound, outcomes: more } = yield* Treatment.run({ look, found: Repairs.found, repair })
      outcomes.push(...more)
      if (!isSound) return outcomes
    }
    /** Whether rows were lost to which files may belong. */
    const hasLost = outcomes.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    const database = yield* Connection.open(path, aside !== null)
    const check = hasFiles ? AssetCheck.checkFilesOf(database) : () => Effect.succeed([])
    const rows = { ...database, files: { ...AssetFile.filesIn(database.data), check } }
    const place = aside === null ? null : Connection.asidePlace(aside)
    const shared = yield* RowDoctor.shared(rows, place)
    outcomes.push(...shared, ...(yield* RowDoctor.sessions(rows, place)))
    // Files can be assigned only while every session has its right id.
    if (!hasFiles || !shared.every(Treatment.isRepaired)) return outcomes
    const files = Judging.orUnreadable({ path }, AssetCheck.checkFiles(database, hasLost))
    const look = Effect.map(files, (findings) => ({ findings, isSound: true }))
    return [...outcomes, ...(yield* Treatment.run({ look, found: Repairs.found, repair })).outcomes]
  }).pipe(Effect.scoped)

const hasEntries = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0

const checkDatabase = (data: string): Effect.Effect<Treatment.Look, StorageFailed> =>
  Effect.suspend(() => {
    const path = DataLayout.databaseIn(data)
    if (existsSync(path)) return DatabaseCheck.check(path)
    const finding = make(hasEntries(join(data, "assets")) ? "database-lost" : "database-missing", { path })
    return Effect.succeed({ findings: [finding], isSound: false })
  })

const ofFolder = (data: string, aside: Aside.Aside | null): Task => {
  const looks = [FolderCheck.check(data), checkDatabase(data)]
  return { path: DataLayout.databaseIn(data), looks, aside, hasFiles: true }
}

/**
 * Refuses a folder on a read-only disk: SQLite needs room next to a database even to read it, and that nothing can be
 * written there is no damage.
 */
const writable = (data: string): Effect.Effect<void, StorageUnusable> =>
  Effect.suspend(() => {
    try {
      accessSync(data, constants.W_OK)
      return Effect.void
    } catch (thrown) {
      const detail = codeOf(thrown)
      return detail === "EROFS" ? new StorageUnusable({ path: data, reason: "no-access", detail }) : Effect.void
    }
  })

/** Returns everything that is wrong, and whether it can be repaired. Changes nothing. */
export const look = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.withSpan(Effect.zipRight(writable(data), treat(ofFolder(data, null))), "Doctor.look")

/**
 * Returns everything that is wrong with the database file at `path` alone, whatever its name. Folders and files of assets
 * are not checked. Changes nothing. @internal
 */
export const lookAtDatabase = (path: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.withSpan(
    treat({ path, looks: [DatabaseCheck.check(path)], aside: null, hasFiles: false }),
    "Doctor.lookAtDatabase"
  )

/**
 * Repairs what it can, and returns what was done and what is still wrong. Fails as locked, and changes nothing, while
 * another process has the database open.
 */
export const repair = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    yield* writable(data)
    const path = DataLayout.databaseIn(data)
    if (existsSync(path)) yield* Effect.scoped(FreshProcess.hold(path))
    return yield* treat(ofFolder(data, Aside.make(data, yield* Clock.currentTimeMillis)))
  }).pipe(
    Effect.mapError((error) => {
      if (error._tag !== "StorageUnusable" || error.reason !== "locked") return error
      const detail = "another process has it open; nothing was repaired"
      return new StorageUnusable({ path: error.path, reason: "locked", detail })
    }),
    Effect.withSpan("Doctor.repair")
  )
