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
import { attempt, queryOn, snapshot } from "./Connection.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as PositionCheck from "./PositionCheck.js"
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
const leftBehind = Effect.fnUntraced(function* (session: SessionKey, { runs }: RowCheck.SessionRows) {
  const engines = yield* Engines
  const findings: Array<Finding> = []
  for (const { engine, id } of runs.filter(({ state }) => state === "running")) {
    const known = decodeEngine(engine)
    if (Option.isNone(known) || (yield* engines.liveness(known.value)) !== "dead") continue
    findings.push(make("run-left-behind", { session, run: Rows.text(id) }))
  }
  return findings
})

const reported =
  (session: SessionKey) =>
  <R>(look: Effect.Effect<Findings, StorageFailed, R>): Effect.Effect<Findings, never, R> =>
    Effect.catchAll(look, ({ code, operation }) =>
      Effect.succeed([make("session-unreadable", { session, operation, code })])
    )

/** Whether the engine reads the session, of which nothing else is damaged. */
const refusal = (connection: Sqlite.Database, session: SessionKey, { own }: RowCheck.SessionRows) =>
  Sessions.find(queryOn(connection), session.id).pipe(
    Effect.as([]),
    Effect.catchTags({
      SessionNotFound: () => Effect.succeed([]),
      RowDamaged: ({ detail }) =>
        Effect.succeed([make("row-beyond-repair", { session, ...Rows.named(sessionRows, own), detail })])
    })
  )

/** Looks at the rows of one session. Its messages are passed through once. */
const lookAt = Effect.fnUntraced(function* (
  data: string,
  connection: Sqlite.Database,
  session: SessionKey,
  rows: RowCheck.SessionRows
) {
  const { cursor, firstCursor, state } = rows.own
  const isImport = state === "hidden" && Number(cursor) < Number(firstCursor)
  const deletion = state === "live" ? [] : [make(isImport ? "import-unfinished" : "deletion-unfinished", { session })]
  if (rows.own.state === "hidden") return deletion
  const part = reported(session)
  const damaged = yield* part(attempt("read the rows", () => RowCheck.check(data, connection, session, rows)))
  const places = new Map<unknown, { role: unknown; cursor: number | null }>()
  const transcript = yield* part(
    attempt("read the transcript", () => TranscriptCheck.check(connection, session, rows, places))
  )
  const ofRows = [...deletion, ...damaged, ...transcript]
  // What these show comes from the rows, so the damage of rows would be reported twice.
  const areSound = ofRows.every(({ changes }) => changes === null)
  const found = areSound ? [...ofRows, ...PositionCheck.check(session, rows, places)] : ofRows
  const isSound = found.every(({ changes }) => changes === null)
  const isDoubtful = isSound && !EventCheck.isWhole(rows, places)
  const events = isDoubtful ? yield* part(EventCheck.check(queryOn(connection), session, rows.own.firstCursor)) : []
  const refused = isDoubtful ? yield* part(refusal(connection, session, rows)) : []
  return [...found, ...events, ...refused, ...(yield* leftBehind(session, rows))]
})

/** Looks at sessions in the order of their ordinals. `data` is the folder with the files of their assets. */
export const check = (
  data: string,
  connection: Sqlite.Database,
  sessions: ReadonlyArray<SessionKey>
): Effect.Effect<ReadonlyArray<SessionLook>, never, Engines> => {
  const [first, last] = [sessions[0]?.ordinal ?? 0, sessions.at(-1)?.ordinal ?? 0]
  const look = Effect.gen(function* () {
    const read = RowCheck.reader(connection, first, last)
    return yield* Effect.forEach(sessions, (session) =>
      Effect.gen(function* () {
        const rows = yield* attempt("read the session", () => read(session.ordinal))
        const isSeen = rows !== undefined && rows.own.state !== "hidden"
        const findings = rows === undefined ? [] : yield* lookAt(data, connection, session, rows)
        return { session, findings, assets: isSeen ? AssetFile.decoded(session.id, rows.assets) : [] }
      })
    )
  })
  return Effect.catchAll(snapshot(connection, look), ({ code, operation }) => {
    // One that cannot be read stops the look at no other.
    if (sessions.length > 1) {
      return Effect.map(
        Effect.forEach(sessions, (session) => check(data, connection, [session])),
        (seen) => seen.flat()
      )
    }
    return Effect.succeed(
      sessions.map((session) => ({
        session,
        findings: [make("session-unreadable", { session, operation, code })],
        assets: []
      }))
    )
  })
}
