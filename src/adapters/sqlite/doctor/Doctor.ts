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
import { join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import { forLooking, forRepair } from "./Connection.js"
import * as Contents from "./Contents.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import { type Finding, make, type Outcome } from "./Finding.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Rebuild from "./Rebuild.js"
import * as Repairs from "./Repairs.js"

type Outcomes = ReadonlyArray<Outcome>
type Failure = StorageUnusable | StorageFailed

const hasEntries = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0

const checkDatabase = (data: string): Effect.Effect<DatabaseCheck.Look, StorageFailed> =>
  Effect.suspend(() => {
    const path = DataLayout.databaseIn(data)
    if (existsSync(path)) return DatabaseCheck.check(path)
    const finding = make(hasEntries(join(data, "assets")) ? "database-lost" : "database-missing", { path })
    return Effect.succeed({ findings: [finding], isSound: false })
  })

/** What was found of files, and then what their rows hold if they are sound. */
const reported = ({ findings, isSound }: DatabaseCheck.Look, path: string, hasFiles: boolean) =>
  Effect.gen(function* () {
    const outcomes = findings.map(Repairs.found)
    if (!isSound) return outcomes
    const connection = yield* forLooking(path)
    return [...outcomes, ...(yield* Contents.treat({ path, connection, aside: null, hasFiles, hasLost: false }))]
  })

/** Everything that is wrong, and what can be done about it. Changes nothing. */
export const look = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    const folder = yield* FolderCheck.check(data)
    const { findings, isSound } = folder.isSound ? yield* checkDatabase(data) : { findings: [], isSound: false }
    return yield* reported({ findings: [...folder.findings, ...findings], isSound }, DataLayout.databaseIn(data), true)
  }).pipe(Effect.scoped, Effect.withSpan("Doctor.look"))

/**
 * Everything that is wrong with the database at `path` alone, which may be called anything: no folder and no file of an
 * asset is looked at. Changes nothing. @internal
 */
export const lookAtDatabase = (path: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.flatMap(DatabaseCheck.check(path), (look) => reported(look, path, false)).pipe(
    Effect.scoped,
    Effect.withSpan("Doctor.lookAtDatabase")
  )

const repairFile =
  (path: string, aside: Aside.Aside) =>
  (finding: Finding): Effect.Effect<Outcome, Failure> =>
    Repairs.isForRebuild(finding)
      ? Effect.map(Rebuild.run(path, aside), (repaired) => ({ _tag: "Repaired", finding, repaired }))
      : Effect.sync(() => Repairs.ofFile(aside)(finding))

/**
 * Repairs what can be, and returns what was done and what is still wrong. Fails as locked, and has then changed nothing,
 * when another process has the database open.
 */
export const repair = (data: string): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const aside = Aside.make(data, yield* Clock.currentTimeMillis)
    if (existsSync(path)) yield* Effect.scoped(FreshProcess.hold(path))
    const repairFiles = (look: Effect.Effect<DatabaseCheck.Look, StorageFailed, Engines>) => {
      const findings = Effect.map(look, ({ findings }) => findings)
      return Effect.flatMap(findings, (first) =>
        Contents.repairAll(first, findings, Effect.forEach(repairFile(path, aside)))
      )
    }
    const folder = yield* repairFiles(FolderCheck.check(data))
    if (!(yield* FolderCheck.check(data)).isSound) return folder
    const files = [...folder, ...(yield* repairFiles(checkDatabase(data)))]
    if (!(yield* checkDatabase(data)).isSound) return files
    const connection = yield* forRepair(path)
    const hasLost = files.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    return [...files, ...(yield* Contents.treat({ path, connection, aside, hasFiles: true, hasLost }))]
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) =>
      error._tag === "StorageUnusable" && error.reason === "locked"
        ? new StorageUnusable({
            path: error.path,
            reason: "locked",
            detail: "another process has it open; nothing was repaired"
          })
        : error
    ),
    Effect.withSpan("Doctor.repair")
  )
