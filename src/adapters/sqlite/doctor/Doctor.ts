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
import { Chunk, Clock, Effect, Stream } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as Aside from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, forLooking, forRepair, type OpenDatabase, prepared, transaction } from "./Connection.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import { make, type Outcome, type SessionKey } from "./Finding.js"
import * as FolderCheck from "./FolderCheck.js"
import * as FreshProcess from "./FreshProcess.js"
import * as Judging from "./Judging.js"
import * as Repairs from "./Repairs.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"
import * as Treatment from "./Treatment.js"

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

const sound = (findings: Treatment.Look["findings"]): Treatment.Look => ({ findings, isSound: true })

/** The repair of rows of a session, or of those that concern more than one. `look` looks at them again. */
const rowRepair =
  <R>(
    { connection }: OpenDatabase,
    session: SessionKey | null,
    look: Effect.Effect<Treatment.Look["findings"], never, R>
  ) =>
  (findings: Treatment.Look["findings"], aside: Aside.Aside) =>
    RowRepair.run({ connection, aside }, session, findings, look)

const treatShared = (database: OpenDatabase, { aside }: Task) => {
  const { connection, path } = database
  const look = Judging.orUnreadable(
    { path },
    transaction(
      connection,
      "snapshot",
      attempt("look for lost sessions", () => SharedCheck.check(database))
    )
  )
  return Treatment.run({ aside, look: Effect.map(look, sound), repair: rowRepair(database, null, look) })
}

const treatSession = (database: OpenDatabase, { aside, hasFiles }: Task, seen: SessionCheck.SessionLook) => {
  const { session } = seen
  const withFiles = ({ assets, findings }: Pick<SessionCheck.SessionLook, "assets" | "findings">) =>
    Effect.map(
      Judging.orUnreadable({ session }, AssetCheck.checkFilesOf(database, session, hasFiles ? assets : [])),
      (files) => sound([...findings, ...files])
    )
  const again = Effect.map(SessionCheck.check(database, [session]), ([seen]) => seen ?? { findings: [], assets: [] })
  const look = Effect.flatMap(again, withFiles)
  // The repair of a session before it may have changed what was found.
  const first = aside === null || seen.findings.length === 0 ? withFiles(seen) : look
  const rows = Effect.map(again, ({ findings }) => findings)
  return Treatment.run({ aside, first, look, repair: rowRepair(database, session, rows) })
}

/** Sessions that are looked at together, in one snapshot. */
const batchSize = 100

const treatSessions = Effect.fnUntraced(function* (database: OpenDatabase, task: Task) {
  const { connection } = database
  const { report } = yield* CheckProgress
  const total = prepared<{ readonly count: number }>(connection, "SELECT count(*) AS count FROM session_rows").get()
  const outcomes: Array<Outcome> = []
  let done = 0
  const batches = Stream.fromIterable(SharedCheck.sessionsIn(connection)).pipe(Stream.grouped(batchSize))
  yield* Stream.runForEach(batches, (batch) =>
    Effect.gen(function* () {
      for (const seen of yield* SessionCheck.check(database, Chunk.toReadonlyArray(batch))) {
        outcomes.push(...(yield* treatSession(database, task, seen)).outcomes)
        yield* report(++done, total?.count ?? done)
      }
    })
  )
  return outcomes
})

/** Treats files, and then what they hold if they are sound. */
const treat = (task: Task): Effect.Effect<Outcomes, Failure, Engines> =>
  Effect.gen(function* () {
    const { aside, hasFiles, looks, path } = task
    const outcomes: Array<Outcome> = []
    for (const look of looks) {
      const { isSound, outcomes: more } = yield* Treatment.run({ aside, look, repair: Repairs.ofFiles })
      outcomes.push(...more)
      if (!isSound) return outcomes
    }
    /** Rows that may have wanted files. */
    const hasLost = outcomes.some((outcome) => outcome._tag === "Repaired" && outcome.repaired.lost > 0)
    const connection = yield* (aside === null ? forLooking : forRepair)(path)
    const database = { path, data: dirname(path), connection }
    const shared = yield* treatShared(database, task)
    outcomes.push(...shared.outcomes, ...(yield* treatSessions(database, task)))
    // Whose the files are, only sessions that have their names can tell.
    if (!hasFiles || !shared.outcomes.every(Treatment.isRepaired)) return outcomes
    const files = Judging.orUnreadable({ path }, AssetCheck.checkFiles(database, hasLost))
    const look = Effect.map(files, sound)
    return [...outcomes, ...(yield* Treatment.run({ aside, look, repair: Repairs.ofFiles })).outcomes]
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
