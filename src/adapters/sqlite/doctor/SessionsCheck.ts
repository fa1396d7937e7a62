/**
 * Everything that is wrong with what a sound database holds: with what concerns more than one session, with each session,
 * with the files of assets. What is damaged in one session says nothing of the others, and stops the look at none.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { SessionId } from "../../../domain/Session.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { attempt, prepared } from "./Connection.js"
import { type Finding, make, type Outcome, type SessionKey } from "./Finding.js"
import * as Orphans from "./Orphans.js"
import * as SessionCheck from "./SessionCheck.js"

type Look = Effect.Effect<ReadonlyArray<Finding>, never, Engines>
type Treated<E> = Effect.Effect<ReadonlyArray<Outcome>, E, Engines>

/** What is done about findings: a look reports them, a repair repairs them. */
export interface Treatment<E> {
  /** `again` looks at the rows only. */
  readonly rows: (session: SessionKey | null, look: Look, again: Look) => Treated<E>
  readonly files: (look: Look) => Treated<E>
}

const decodeId = Schema.decodeUnknownOption(SessionId)

const page = 500

interface Row {
  readonly ordinal: number
  readonly id: string
}

const pageAfter = (connection: Sqlite.Database, ordinal: number) =>
  attempt("look at the sessions", () =>
    prepared<Row>(connection, "SELECT ordinal, id FROM session_rows WHERE ordinal > ? ORDER BY ordinal LIMIT ?").all(
      ordinal,
      page
    )
  )

/** What concerns more than one session. */
const checkShared = (path: string, connection: Sqlite.Database): ReadonlyArray<Finding> => {
  const orphans = Orphans.find(connection)
  if (orphans.length === 0) return []
  const ordinals = orphans.map(({ ordinal }) => ordinal)
  return [
    make(
      "session-rows-missing",
      { path, ordinals },
      orphans.map(({ adoption }) => adoption)
    )
  ]
}

/** Looks at all of it and treats what is found. */
export const treat = <E>(
  data: string,
  path: string,
  connection: Sqlite.Database,
  treatment: Treatment<E>
): Effect.Effect<ReadonlyArray<Outcome>, E | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const unreadable = ({ code, operation }: StorageFailed) =>
      Effect.succeed<ReadonlyArray<Finding>>([make("unreadable", { path, code, operation })])
    const shared = Effect.catchAll(
      attempt("look for lost sessions", () => checkShared(path, connection)),
      unreadable
    )
    const outcomes = [...(yield* treatment.rows(null, shared, shared))]
    const { report } = yield* CheckProgress
    const total = connection.prepare<[], number>("SELECT count(*) FROM session_rows").pluck().get() ?? 0
    let done = 0
    let rows = yield* pageAfter(connection, -1)
    while (rows.length > 0) {
      for (const { id, ordinal } of rows) {
        const sessionId = decodeId(id)
        if (Option.isSome(sessionId)) {
          const session = { ordinal, id: sessionId.value }
          const again = SessionCheck.rows(connection, session)
          const look = Effect.zipWith(again, SessionCheck.files(data, connection, session), (rows, files) => [
            ...rows,
            ...files
          ])
          outcomes.push(...(yield* treatment.rows(session, look, again)))
        }
        yield* report(++done, total)
      }
      rows = yield* pageAfter(connection, rows.at(-1)?.ordinal ?? Infinity)
    }
    const files = Effect.catchAll(AssetCheck.checkFiles(data, connection), unreadable)
    return [...outcomes, ...(yield* treatment.files(files))]
  })
