/**
 * Everything that is wrong with what a sound database holds: with what concerns more than one session, with each session,
 * with the files of assets. What is damaged in one session says nothing of the others, and stops the look at none.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Schema } from "effect"
import { dirname } from "node:path"
import { SessionId } from "../../../domain/Session.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import { sessionRows } from "../../../services/storage/sql/Tables.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, prepared, snapshot } from "./Connection.js"
import { type Finding, make, type Outcome, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"

type Look = Effect.Effect<ReadonlyArray<Finding>, never, Engines>
type Treated<E> = Effect.Effect<ReadonlyArray<Outcome>, E, Engines>

/** What is done about findings: a look reports them, a repair repairs them. */
export interface Treatment<E> {
  /** `again` looks at the rows only. */
  readonly rows: (session: SessionKey | null, look: Look, again: Look) => Treated<E>
  readonly files: (look: Look) => Treated<E>
}

const isId = Schema.is(SessionId)
const isOrdinal = Schema.is(sessionRows.columns.ordinal.schema)

export interface Place {
  /** The data folder; null when no files are to be looked at. */
  readonly data: string | null
  /** The database in it. */
  readonly path: string
  readonly connection: Sqlite.Database
  /** Whether rows were lost when the database was rebuilt. */
  readonly hasLost: boolean
}

const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Looks at all of it and treats what is found. */
export const treat = <E>(
  { connection, data, hasLost, path }: Place,
  treatment: Treatment<E>
): Effect.Effect<ReadonlyArray<Outcome>, E | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const unreadable = ({ code, operation }: StorageFailed) =>
      Effect.succeed<ReadonlyArray<Finding>>([make("unreadable", { path, code, operation })])
    const shared = Effect.catchAll(
      snapshot(
        connection,
        attempt("look for lost sessions", () => SharedCheck.check(dirname(path), path, connection))
      ),
      unreadable
    )
    const named = yield* treatment.rows(null, shared, shared)
    const outcomes = [...named]
    const { report } = yield* CheckProgress
    const total = prepared<{ readonly count: number }>(connection, "SELECT count(*) AS count FROM session_rows").get()
    let done = 0
    for (const { id, ordinal } of Rows.of(connection, SharedCheck.sessionKeys)) {
      if (isId(id) && isOrdinal(ordinal)) {
        const session = { ordinal, id }
        const again = SessionCheck.rows(connection, session)
        const files = data === null ? Effect.succeed([]) : SessionCheck.files(data, connection, session)
        const look = Effect.zipWith(again, files, (rows, files) => [...rows, ...files])
        outcomes.push(...(yield* treatment.rows(session, look, again)))
      }
      yield* report(++done, total?.count ?? done)
    }
    // Whose the files are, only sessions that have their names can tell.
    if (data === null || !named.every(isRepaired)) return outcomes
    const files = Effect.catchAll(AssetCheck.checkFiles(data, connection, hasLost), unreadable)
    return [...outcomes, ...(yield* treatment.files(files))]
  })
