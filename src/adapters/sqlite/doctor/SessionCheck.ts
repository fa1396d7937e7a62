/**
 * Everything that can be wrong with sessions. Those of a batch are seen at one moment, each of their tables by one
 * statement. Their rows are judged by what they hold, and by the engine's own reads, as what these can read the engine
 * can. A read that fails hides nothing that another one finds.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import type { Asset } from "../../../domain/Asset.js"
import { EngineId } from "../../../domain/Lease.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import { Engines } from "../../../services/Engines.js"
import * as Sessions from "../../../services/storage/sql/Sessions.js"
import { sessionRows } from "../../../services/storage/sql/Tables.js"
import * as AssetFile from "./AssetFile.js"
import { attempt, type OpenDatabase, queryOn, transaction } from "./Connection.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import * as RowCheck from "./RowCheck.js"
import * as Rows from "./Rows.js"
import * as TranscriptCheck from "./TranscriptCheck.js"

type Findings = ReadonlyArray<Finding>

/** What a look at a session's rows has found, and the assets whose files are to be looked at. */
export interface SessionLook {
  readonly session: SessionKey
  readonly findings: Findings
  readonly assets: ReadonlyArray<Asset>
}

const decodeEngine = Schema.decodeUnknownOption(Schema.parseJson(EngineId))

/** Runs whose process died. They are no damage: the next engine to claim the session closes them. */
const leftBehind = Effect.fnUntraced(function* ({ runs, session }: RowCheck.SessionRows) {
  const engines = yield* Engines
  const findings: Array<Finding> = []
  for (const { engine, id } of runs.filter(({ state }) => state === "running")) {
    const known = decodeEngine(engine)
    if (Option.isNone(known) || (yield* engines.liveness(known.value)) !== "dead") continue
    findings.push(make("run-left-behind", { session, run: Rows.text(id) }))
  }
  return findings
})

/** Whether the engine reads the session, of which nothing else is damaged. */
const refusal = (connection: Sqlite.Database, { own, session }: RowCheck.SessionRows) =>
  Sessions.find(queryOn(connection), session.id).pipe(
    Effect.as([]),
    Effect.catchTags({
      SessionNotFound: () => Effect.succeed([]),
      RowDamaged: ({ detail }) =>
        Effect.succeed([make("row-beyond-repair", { session, ...Rows.named(sessionRows, own), detail })])
    })
  )

const areSound = (findings: Findings): boolean => findings.every(({ changes }) => changes === null)

/** Looks at the rows of one session. Its messages are passed through once. */
const lookAt = Effect.fnUntraced(function* (database: OpenDatabase, rows: RowCheck.SessionRows) {
  const { connection } = database
  const { own, session } = rows
  const [cursor, firstCursor] = [Number(own.cursor), Number(own.firstCursor)]
  const isImport = own.state === "hidden" && cursor < firstCursor
  const findings: Array<Finding> = []
  if (own.state !== "live") findings.push(make(isImport ? "import-unfinished" : "deletion-unfinished", { session }))
  if (own.state === "hidden") return findings
  const part = (look: Effect.Effect<Findings, StorageFailed>) =>
    Effect.map(Judging.orUnreadable({ session }, look), (found) => void findings.push(...found))
  yield* part(attempt("read the rows", () => RowCheck.check(database, rows)))
  yield* part(attempt("read the transcript", () => TranscriptCheck.check(connection, rows)))
  // What the rest shows comes from these rows, so their damage would be reported twice.
  if (areSound(findings)) findings.push(...EventCheck.checkPosition(rows))
  if (areSound(findings) && !EventCheck.isWhole(rows)) {
    yield* part(EventCheck.check(queryOn(connection), session, firstCursor - 1))
    yield* part(refusal(connection, rows))
  }
  return [...findings, ...(yield* leftBehind(rows))]
})

/** Looks at sessions in the order of their ordinals. */
export const check = (
  database: OpenDatabase,
  sessions: ReadonlyArray<SessionKey>
): Effect.Effect<ReadonlyArray<SessionLook>, never, Engines> => {
  const { connection } = database
  const look = Effect.gen(function* () {
    const read = RowCheck.reader(connection, sessions[0]?.ordinal ?? 0, sessions.at(-1)?.ordinal ?? 0)
    return yield* Effect.forEach(sessions, (session) =>
      Effect.gen(function* () {
        const rows = yield* attempt("read the session", () => read(session))
        if (rows === undefined) return { session, findings: [], assets: [] }
        const assets = rows.own.state === "hidden" ? [] : AssetFile.decoded(session.id, rows.assets)
        return { session, assets, findings: yield* lookAt(database, rows) }
      })
    )
  })
  // One that cannot be read stops the look at no other.
  return Effect.catchAll(transaction(connection, "snapshot", look), (error) =>
    Effect.map(
      Effect.forEach(sessions, (session) =>
        sessions.length > 1
          ? check(database, [session])
          : Effect.map(Judging.orUnreadable({ session }, error), (findings) => [{ session, findings, assets: [] }])
      ),
      (seen) => seen.flat()
    )
  )
}
