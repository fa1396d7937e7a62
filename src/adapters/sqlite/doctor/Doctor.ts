/**
 * Looks at a data folder for all that can be wrong with it, and repairs what can be.
 *
 * A look changes nothing, and may be taken while engines use the folder. A repair requires that no other process
 * has the database open. It deletes nothing that it cannot explain: what is in the way is moved to `aside/<time>/`, and
 * what is lost is reported. After each repair the doctor looks again, and repairs again if that brought something else to light.
 * What is still wrong then could not be repaired.
 */
import type Sqlite from "better-sqlite3"
import { Chunk, Clock, Effect, Stream } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, forLooking, forRepair, prepared, snapshot } from "./Connection.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import { type Finding, make, type Outcome } from "./Finding.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Rebuild from "./Rebuild.js"
import * as Repairs from "./Repairs.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"

type Findings = ReadonlyArray<Finding>
type Outcomes = ReadonlyArray<Outcome>
type Failure = StorageUnusable | StorageFailed

/** Most looks that a repair takes. */
const maxRounds = 4

/** Sessions that are looked at together, in one snapshot. */
const batchSize = 100

const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Repairs and looks in turn, until there is nothing more that can be repaired. */
const repairAll = <E1, R1, E2, R2>(
  first: Findings,
  look: Effect.Effect<Findings, E1, R1>,
  repair: (findings: Findings) => Effect.Effect<Outcomes, E2, R2>
): Effect.Effect<Outcomes, E1 | E2, R1 | R2> =>
  Effect.gen(function* () {
    const repaired: Array<Outcome> = []
    let findings = first
    for (let round = 1; ; round++) {
      const outcomes = round < maxRounds ? yield* repair(findings) : findings.map(Repairs.found)
      if (!outcomes.some(isRepaired)) return [...repaired, ...outcomes]
      repaired.push(...outcomes.filter(isRepaired))
      findings = yield* look
    }
  })

interface Place {
  /** The database. */
  readonly path: string
  readonly connection: Sqlite.Database
  /** Where a repair moves what is in the way. Null for a look. */
  readonly aside: Aside.Aside | null
  /** Whether the files of assets are looked at as well. */
  readonly hasFiles: boolean
  /** Whether rows were lost when the database was rebuilt. */
  readonly hasLost: boolean
}

/**
 * Looks at what a sound database holds, and repairs it if there is a place for what is in the way. What is damaged in one
 * session says nothing of the others, and stops the look at none.
 */
const treatRows = ({
  aside,
  connection,
  hasFiles,
  hasLost,
  path
}: Place): Effect.Effect<Outcomes, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const data = dirname(path)
    const unreadable = ({ code, operation }: StorageFailed): Effect.Effect<Findings> =>
      Effect.succeed([make("unreadable", { path, code, operation })])
    const treat = <R>(
      first: Findings,
      look: Effect.Effect<Findings, never, R>,
      repair: (aside: Aside.Aside) => (findings: Findings) => Effect.Effect<Outcomes, StorageFailed, R>
    ) => (aside === null ? Effect.succeed(first.map(Repairs.found)) : repairAll(first, look, repair(aside)))

    const lookAtShared = attempt("look for lost sessions", () => SharedCheck.check(data, path, connection)).pipe(
      (look) => snapshot(connection, look),
      Effect.catchAll(unreadable)
    )
    const shared = yield* treat(
      yield* lookAtShared,
      lookAtShared,
      (aside) => (findings) => RowRepair.run({ connection, aside }, null, findings, lookAtShared)
    )
    const outcomes = [...shared]

    const filesOf = ({ assets, findings, session }: SessionCheck.Seen) =>
      hasFiles
        ? AssetCheck.checkFilesOf(data, connection, session, assets).pipe(
            Effect.catchAll(({ code, operation }) =>
              Effect.succeed([make("session-unreadable", { session, operation, code })])
            ),
            Effect.map((files) => [...findings, ...files])
          )
        : Effect.succeed(findings)
    const { report } = yield* CheckProgress
    const total = prepared<{ readonly count: number }>(connection, "SELECT count(*) AS count FROM session_rows").get()
    let done = 0
    const batches = Stream.fromIterable(SharedCheck.sessionsIn(connection)).pipe(Stream.grouped(batchSize))
    yield* Stream.runForEach(batches, (batch) =>
      Effect.gen(function* () {
        for (const seen of yield* SessionCheck.check(data, connection, Chunk.toReadonlyArray(batch))) {
          const { session } = seen
          const again = Effect.map(
            SessionCheck.check(data, connection, [session]),
            ([seen]) => seen ?? { session, findings: [], assets: [] }
          )
          const rows = Effect.map(again, ({ findings }) => findings)
          const treated = yield* treat(
            yield* filesOf(seen),
            Effect.flatMap(again, filesOf),
            (aside) => (findings) => RowRepair.run({ connection, aside }, session, findings, rows)
          )
          outcomes.push(...treated)
          yield* report(++done, total?.count ?? done)
        }
      })
    )

    // Whose the files are, only sessions that have their names can tell.
    if (!hasFiles || !shared.every(isRepaired)) return outcomes
    const lookAtFiles = Effect.catchAll(AssetCheck.checkFiles(data, connection, hasLost), unreadable)
    const files = yield* treat(
      yield* lookAtFiles,
      lookAtFiles,
      (aside) => (findings) => Effect.sync(() => findings.map(Repairs.ofFile(aside)))
    )
    return [...outcomes, ...files]
  })

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
    return [...outcomes, ...(yield* treatRows({ path, connection, aside: null, hasFiles, hasLost: false }))]
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

/**
 * Writes what can be read of the database at `from` into a new one at `to`. Rows in it may be wrong or missing still:
 * `lookAtDatabase` finds them, and `repair` mends them once it is in its data folder. @internal
 */
export const salvage = Effect.fn("Doctor.salvage")(Rebuild.salvage)

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
      return Effect.flatMap(findings, (first) => repairAll(first, findings, Effect.forEach(repairFile(path, aside))))
    }
    const folder = yield* repairFiles(FolderCheck.check(data))
    if (!(yield* FolderCheck.check(data)).isSound) return folder
    const files = [...folder, ...(yield* repairFiles(checkDatabase(data)))]
    if (!(yield* checkDatabase(data)).isSound) return files
    const connection = yield* forRepair(path)
    const hasLost = files.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    return [...files, ...(yield* treatRows({ path, connection, aside, hasFiles: true, hasLost }))]
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
