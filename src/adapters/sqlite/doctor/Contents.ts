/**
 * What a sound database holds, and the files of its assets: looked at and, where there is a place for what is in the way,
 * repaired. What is damaged in one session says nothing of the others, and stops the look at none.
 */
import type Sqlite from "better-sqlite3"
import { Chunk, Effect, Stream } from "effect"
import { dirname } from "node:path"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import type * as Aside from "../Aside.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, prepared, snapshot } from "./Connection.js"
import { type Finding, make, type Outcome } from "./Finding.js"
import * as Repairs from "./Repairs.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"

type Findings = ReadonlyArray<Finding>
type Outcomes = ReadonlyArray<Outcome>

/** Most looks that a repair takes. */
const maxRounds = 4

/** Sessions that are looked at together, in one snapshot. */
const batchSize = 100

const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Repairs and looks in turn, until there is nothing more that can be repaired. */
export const repairAll = <E1, R1, E2, R2>(
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

interface Contents {
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

/** Looks at all of it, and repairs it if there is a place for what is in the way. */
export const treat = ({
  aside,
  connection,
  hasFiles,
  hasLost,
  path
}: Contents): Effect.Effect<Outcomes, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const data = dirname(path)
    const unreadable = ({ code, operation }: StorageFailed): Effect.Effect<Findings> =>
      Effect.succeed([make("unreadable", { path, code, operation })])
    const treated = <R>(
      first: Findings,
      look: Effect.Effect<Findings, never, R>,
      repair: (aside: Aside.Aside) => (findings: Findings) => Effect.Effect<Outcomes, StorageFailed, R>
    ) => (aside === null ? Effect.succeed(first.map(Repairs.found)) : repairAll(first, look, repair(aside)))

    const lookAtShared = attempt("look for lost sessions", () => SharedCheck.check(data, path, connection)).pipe(
      (look) => snapshot(connection, look),
      Effect.catchAll(unreadable)
    )
    const shared = yield* treated(
      yield* lookAtShared,
      lookAtShared,
      (aside) => (findings) => RowRepair.run({ connection, aside }, null, findings, lookAtShared)
    )
    const outcomes = [...shared]

    const filesOf = ({ assets, findings, session }: SessionCheck.SessionLook) =>
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
          // The repair of a session before it may have changed what was found.
          const now = aside === null || seen.findings.length === 0 ? seen : yield* again
          const ofSession = yield* treated(
            yield* filesOf(now),
            Effect.flatMap(again, filesOf),
            (aside) => (findings) => RowRepair.run({ connection, aside }, session, findings, rows)
          )
          outcomes.push(...ofSession)
          yield* report(++done, total?.count ?? done)
        }
      })
    )

    // Whose the files are, only sessions that have their names can tell.
    if (!hasFiles || !shared.every(isRepaired)) return outcomes
    const lookAtFiles = Effect.catchAll(AssetCheck.checkFiles(data, connection, hasLost), unreadable)
    const files = yield* treated(
      yield* lookAtFiles,
      lookAtFiles,
      (aside) => (findings) => Effect.sync(() => findings.map(Repairs.ofFile(aside)))
    )
    return [...outcomes, ...files]
  })
