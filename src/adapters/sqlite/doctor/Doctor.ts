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
import * as DatabaseCheck from "./DatabaseCheck.js"
import { type Finding, make, type Outcome } from "./Finding.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Rebuild from "./Rebuild.js"
import * as Repairs from "./Repairs.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionsCheck from "./SessionsCheck.js"

const hasFiles = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0

const checkDatabase = (data: string): Effect.Effect<DatabaseCheck.Look> =>
  Effect.suspend(() => {
    const path = DataLayout.databaseIn(data)
    if (existsSync(path)) return DatabaseCheck.check(path)
    const finding = make(hasFiles(join(data, "assets")) ? "database-lost" : "database-missing", { path })
    return Effect.succeed({ findings: [finding], isSound: false })
  })

const reporting: SessionsCheck.Treatment<never> = {
  rows: (_, look) => Effect.map(look, (findings) => findings.map(Repairs.found)),
  files: (look) => Effect.map(look, (findings) => findings.map(Repairs.found))
}

/** Everything that is wrong, and what can be done about it. Changes nothing. */
export const look = (data: string): Effect.Effect<ReadonlyArray<Outcome>, StorageUnusable | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const folder = yield* FolderCheck.check(data)
    const database = folder.isSound ? yield* checkDatabase(data) : { findings: [], isSound: false }
    const files = [...folder.findings, ...database.findings].map(Repairs.found)
    if (!database.isSound) return files
    const connection = yield* forLooking(path)
    return [...files, ...(yield* SessionsCheck.treat({ data, path, connection, hasLost: false }, reporting))]
  }).pipe(Effect.scoped, Effect.withSpan("Doctor.look"))

/**
 * Everything that is wrong with the database at `path` alone, which may be called anything: no folder and no file of an
 * asset is looked at. Changes nothing. @internal
 */
export const lookAtDatabase = (
  path: string
): Effect.Effect<ReadonlyArray<Outcome>, StorageUnusable | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const { findings, isSound } = yield* DatabaseCheck.check(path)
    const outcomes = findings.map(Repairs.found)
    if (!isSound) return outcomes
    const connection = yield* forLooking(path)
    return [...outcomes, ...(yield* SessionsCheck.treat({ data: null, path, connection, hasLost: false }, reporting))]
  }).pipe(Effect.scoped, Effect.withSpan("Doctor.lookAtDatabase"))

/**
 * Writes what can be read of the database at `from` into a new one at `to`. Rows in it may be wrong or missing still:
 * `lookAtDatabase` finds them, and `repair` mends them once it is in its data folder. @internal
 */
export const salvage = Effect.fn("Doctor.salvage")(Rebuild.salvage)

/** Most looks that a repair takes. */
const maxRounds = 4

const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Looks and repairs in turn, until there is nothing more that can be repaired. */
const repairAll = <E1, R1, E2, R2>(
  look: Effect.Effect<ReadonlyArray<Finding>, E1, R1>,
  repair: (findings: ReadonlyArray<Finding>) => Effect.Effect<ReadonlyArray<Outcome>, E2, R2>
): Effect.Effect<ReadonlyArray<Outcome>, E1 | E2, R1 | R2> =>
  Effect.gen(function* () {
    const repaired: Array<Outcome> = []
    for (let round = 1; ; round++) {
      const findings = yield* look
      const outcomes = round < maxRounds ? yield* repair(findings) : findings.map(Repairs.found)
      if (!outcomes.some(isRepaired)) return [...repaired, ...outcomes]
      repaired.push(...outcomes.filter(isRepaired))
    }
  })

const repairing = (means: RowRepair.Means): SessionsCheck.Treatment<StorageFailed> => ({
  rows: (session, look, again) => repairAll(look, (findings) => RowRepair.run(means, session, findings, again)),
  files: (look) => repairAll(look, (findings) => Effect.sync(() => findings.map(Repairs.ofFile(means.aside))))
})

/**
 * Repairs what can be, and returns what was done and what is still wrong. Fails as locked, and has then changed nothing,
 * when another process has the database open.
 */
export const repair = (data: string): Effect.Effect<ReadonlyArray<Outcome>, StorageUnusable | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const aside = Aside.make(data, yield* Clock.currentTimeMillis)
    if (existsSync(path)) yield* Effect.scoped(FreshProcess.hold(path))
    const repairFile = (finding: Finding): Effect.Effect<Outcome, StorageUnusable | StorageFailed> =>
      Repairs.isForRebuild(finding)
        ? Effect.map(Rebuild.run(path, aside), (repaired) => ({ _tag: "Repaired", finding, repaired }))
        : Effect.sync(() => Repairs.ofFile(aside)(finding))
    const repairFiles = (look: Effect.Effect<DatabaseCheck.Look, never, Engines>) =>
      repairAll(
        Effect.map(look, ({ findings }) => findings),
        Effect.forEach(repairFile)
      )
    const folder = yield* repairFiles(FolderCheck.check(data))
    if (!(yield* FolderCheck.check(data)).isSound) return folder
    const files = [...folder, ...(yield* repairFiles(checkDatabase(data)))]
    if (!(yield* checkDatabase(data)).isSound) return files
    const connection = yield* forRepair(path)
    const hasLost = files.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    const place = { data, path, connection, hasLost }
    return [...files, ...(yield* SessionsCheck.treat(place, repairing({ connection, aside })))]
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
