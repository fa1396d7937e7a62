/**
 * Looks at a data folder for all that can be wrong with it, and repairs what can be: the folder, the database's file, rows
 * that concern more than one session, each session with the files of its assets, and files that are nobody's.
 *
 * A look changes nothing, and may be taken while engines use the folder. A repair requires that no other process
 * has the database open. It deletes nothing that it cannot explain: what is in the way is moved to `aside/<time>/`, and
 * what is lost is reported. After each repair the doctor looks again, and repairs again if that brought something else to light.
 * What is still wrong then could not be repaired. What is damaged in one session says nothing of the others, and stops the
 * look at none.
 */
import { Clock, Effect } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import { make, type Outcome } from "../../../services/storage/sql/doctor/Finding.js"
import * as Judging from "../../../services/storage/sql/doctor/Judging.js"
import * as RowDoctor from "../../../services/storage/sql/doctor/RowDoctor.js"
import * as Treatment from "../../../services/storage/sql/doctor/Treatment.js"
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
  /** The database. */
  readonly path: string
  /** Of files: each is only taken if what those before it have seen is sound. */
  readonly looks: ReadonlyArray<Effect.Effect<Treatment.Look, StorageFailed, Engines>>
  /** Where a repair moves what is in the way. Null for a look. */
  readonly aside: Aside.Aside | null
  /** Whether the files of assets are looked at as well. */
  readonly hasFiles: boolean
}

/** Treats files, and then what they hold if they are sound. */
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
    /** Rows that may have wanted files. */
    const hasLost = outcomes.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    const database = yield* Connection.open(path, aside !== null)
    const check = hasFiles ? AssetCheck.checkFilesOf(database) : () => Effect.succeed([])
    const rows = { ...database, files: { ...AssetFile.filesIn(database.data), check } }
    const place = aside === null ? null : Connection.asidePlace(aside)
    const shared = yield* RowDoctor.shared(rows, place)
    outcomes.push(...shared, ...(yield* RowDoctor.sessions(rows, place)))
    // Whose the files are, only sessions that have their names can tell.
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

/** Everything that is wrong, and what can be done about it. Changes nothing. */
export const look = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.withSpan(treat(ofFolder(data, null)), "Doctor.look")

/**
 * Everything that is wrong with the database at `path` alone, which may be called anything: no folder and no file of an
 * asset is looked at. Changes nothing. @internal
 */
export const lookAtDatabase = (path: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.withSpan(
    treat({ path, looks: [DatabaseCheck.check(path)], aside: null, hasFiles: false }),
    "Doctor.lookAtDatabase"
  )

/**
 * Repairs what can be, and returns what was done and what is still wrong. Fails as locked, and has then changed nothing,
 * when another process has the database open.
 */
export const repair = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
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
