/**
 * Looks at a data folder for all that can be wrong with it, and repairs what can be.
 *
 * A look changes nothing, and may be taken while engines use the folder. A repair requires that no other process
 * has the database open. It deletes nothing that it cannot explain: what is in the way is moved to `aside/<time>/`, and
 * what is lost is reported. After each repair the doctor looks again, and repairs again if that brought something else to light.
 * What is still wrong then could not be repaired.
 */
import { Clock, Effect } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import { forLooking, forRepair } from "./Connection.js"
import * as Contents from "./Contents.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import { make, type Outcome } from "./Finding.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Repairs from "./Repairs.js"
import * as Treatment from "./Treatment.js"
import type { Look } from "./Treatment.js"

type Outcomes = ReadonlyArray<Outcome>
type Failure = StorageUnusable | StorageFailed

const hasEntries = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0

const checkDatabase = (data: string): Effect.Effect<Look, StorageFailed> =>
  Effect.suspend(() => {
    const path = DataLayout.databaseIn(data)
    if (existsSync(path)) return DatabaseCheck.check(path)
    const finding = make(hasEntries(join(data, "assets")) ? "database-lost" : "database-missing", { path })
    return Effect.succeed({ findings: [finding], isSound: false })
  })

interface Task {
  /** The database. */
  readonly path: string
  /** Of files: each is only taken if what those before it have seen is sound. */
  readonly looks: ReadonlyArray<Effect.Effect<Look, StorageFailed, Engines>>
  /** Where a repair moves what is in the way. Null for a look. */
  readonly aside: Aside.Aside | null
  /** Whether the files of assets are looked at as well. */
  readonly hasFiles: boolean
}

/** Treats files, and then what their rows hold if they are sound. */
const treat = ({ aside, hasFiles, looks, path }: Task): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    const outcomes: Array<Outcome> = []
    for (const look of looks) {
      const { isSound, outcomes: more } = yield* Treatment.run({ aside, look, repair: Repairs.ofFiles })
      outcomes.push(...more)
      if (!isSound) return outcomes
    }
    const connection = yield* (aside === null ? forLooking : forRepair)(path)
    const hasLost = outcomes.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    return [
      ...outcomes,
      ...(yield* Contents.treat({ path, data: dirname(path), connection, aside, hasFiles, hasLost }))
    ]
  }).pipe(Effect.scoped)

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
