/**
 * Everything that can be wrong with one session, seen at one moment: its rows by what they hold, and by the engine's own
 * reads, as what these can read the engine can. A read that fails hides nothing that another one finds.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { EngineId } from "../../../domain/Lease.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import { Engines } from "../../../services/Engines.js"
import * as AssetCheck from "./AssetCheck.js"
import { attempt, queryOn, snapshot } from "./Connection.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as RowCheck from "./RowCheck.js"
import * as Rows from "./Rows.js"
import * as TranscriptCheck from "./TranscriptCheck.js"

type Findings = ReadonlyArray<Finding>

const decodeEngine = Schema.decodeUnknownOption(Schema.parseJson(EngineId))

/** Runs whose process died. They are no damage: the next engine to claim the session closes them. */
const leftBehind = (session: SessionKey, { runs }: RowCheck.SessionRows) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const findings: Array<Finding> = []
    for (const { engine, id, state } of runs) {
      const known = state === "running" ? decodeEngine(engine) : Option.none()
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

/** What is wrong with the files of a session's assets. */
export const files = (data: string, connection: Sqlite.Database, session: SessionKey): Effect.Effect<Findings> =>
  reported(session)(AssetCheck.checkFilesOf(data, connection, session))

/** What is wrong with a session's rows. One that is gone or hidden has none. */
export const rows = (connection: Sqlite.Database, session: SessionKey): Effect.Effect<Findings, never, Engines> => {
  const part = reported(session)
  const look = Effect.gen(function* () {
    const all = yield* attempt("read the session", () => RowCheck.read(connection, session))
    if (all === undefined) return []
    const deletion = all.own.state === "live" ? [] : [make("deletion-unfinished", { session })]
    if (all.own.state === "hidden") return deletion
    const damaged = yield* part(RowCheck.check(connection, session, all))
    const transcript = yield* part(
      attempt("read the transcript", () => TranscriptCheck.check(connection, session, all))
    )
    // What events show comes from these, so their damage would be reported twice.
    const isWhole = [...damaged, ...transcript].every(({ changes }) => changes === null)
    const events = isWhole ? yield* part(EventCheck.check(queryOn(connection), session)) : []
    return [...deletion, ...damaged, ...transcript, ...events, ...(yield* leftBehind(session, all))]
  })
  return part(snapshot(connection, look))
}
