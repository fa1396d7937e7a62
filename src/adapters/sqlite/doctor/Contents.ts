/**
 * What a sound database holds, and the files of its assets: looked at and, where there is a place for what is in the way,
 * repaired. What is damaged in one session says nothing of the others, and stops the look at none.
 */
import { Chunk, Effect, Stream } from "effect"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import type * as Aside from "../Aside.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, type OpenDatabase, prepared, transaction } from "./Connection.js"
import type { Finding, Outcome, SessionKey } from "./Finding.js"
import * as Repairs from "./Repairs.js"
import * as Reporting from "./Reporting.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"
import * as Treatment from "./Treatment.js"

/** Sessions that are looked at together, in one snapshot. */
const batchSize = 100

interface Contents extends OpenDatabase {
  /** Where a repair moves what is in the way. Null for a look. */
  readonly aside: Aside.Aside | null
  /** Whether the files of assets are looked at as well. */
  readonly hasFiles: boolean
  /** Whether rows were lost when the database was rebuilt. */
  readonly hasLost: boolean
}

/** Looks at all of it, and repairs it if there is a place for what is in the way. */
export const treat = (
  contents: Contents
): Effect.Effect<ReadonlyArray<Outcome>, StorageFailed | StorageUnusable, Engines> =>
  Effect.gen(function* () {
    const { aside, connection, hasFiles, hasLost, path } = contents
    const sound = (findings: ReadonlyArray<Finding>): Treatment.Look => ({ findings, isSound: true })
    const repairRows =
      <R>(session: SessionKey | null, look: Effect.Effect<ReadonlyArray<Finding>, never, R>) =>
      (findings: ReadonlyArray<Finding>, aside: Aside.Aside) =>
        RowRepair.run({ connection, aside }, session, findings, look)

    const lookAtShared = attempt("look for lost sessions", () => SharedCheck.check(contents)).pipe((look) =>
      Reporting.orUnreadable({ path }, transaction(connection, "snapshot", look))
    )
    const look = Effect.map(lookAtShared, sound)
    const shared = yield* Treatment.run({ aside, look, repair: repairRows(null, lookAtShared) })
    const outcomes = [...shared.outcomes]

    const withFiles = ({ assets, findings, session }: SessionCheck.SessionLook) =>
      Effect.map(
        Reporting.orUnreadable({ session }, AssetCheck.checkFilesOf(contents, session, hasFiles ? assets : [])),
        (files) => sound([...findings, ...files])
      )
    const treatSession = (seen: SessionCheck.SessionLook) => {
      const { session } = seen
      const again = Effect.map(
        SessionCheck.check(contents, [session]),
        ([seen]) => seen ?? { session, findings: [], assets: [] }
      )
      const rows = Effect.map(again, ({ findings }) => findings)
      const look = Effect.flatMap(again, withFiles)
      // The repair of a session before it may have changed what was found.
      const first = aside === null || seen.findings.length === 0 ? withFiles(seen) : look
      return Treatment.run({ aside, first, look, repair: repairRows(session, rows) })
    }
    const { report } = yield* CheckProgress
    const total = prepared<{ readonly count: number }>(connection, "SELECT count(*) AS count FROM session_rows").get()
    let done = 0
    const batches = Stream.fromIterable(SharedCheck.sessionsIn(connection)).pipe(Stream.grouped(batchSize))
    yield* Stream.runForEach(batches, (batch) =>
      Effect.gen(function* () {
        for (const seen of yield* SessionCheck.check(contents, Chunk.toReadonlyArray(batch))) {
          outcomes.push(...(yield* treatSession(seen)).outcomes)
          yield* report(++done, total?.count ?? done)
        }
      })
    )

    // Whose the files are, only sessions that have their names can tell.
    if (!hasFiles || !shared.outcomes.every(Treatment.isRepaired)) return outcomes
    const lookAtFiles = Reporting.orUnreadable({ path }, AssetCheck.checkFiles(contents, hasLost))
    const files = yield* Treatment.run({
      aside,
      look: Effect.map(lookAtFiles, sound),
      repair: Repairs.ofFiles
    })
    return [...outcomes, ...files.outcomes]
  })
