/**
 * Looks at every session by itself, through the queries of the engine's own storage: what these can read, the engine
 * can. What is damaged in one session says nothing of the others, and stops the look at none of them.
 */
import Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { SessionId } from "../../../domain/Session.js"
import { Engines } from "../../../services/Engines.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as AssetCheck from "./AssetCheck.js"
import { CheckProgress } from "./CheckProgress.js"
import { queryOn } from "./Connection.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import { orphans } from "./Orphans.js"
import { isRepairable } from "./Repairs.js"
import * as RowCheck from "./RowCheck.js"
import * as TranscriptCheck from "./TranscriptCheck.js"

const page = 500

/** A run whose process died. It is no damage: the next engine to claim the session closes it. */
const leftBehind = (query: Query, session: SessionKey) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const { holder } = yield* RunRows.activity(query, session.id)
    if (Option.isNone(holder) || (yield* engines.liveness(holder.value.engine)) !== "dead") return []
    return [make("run-left-behind", { session, run: holder.value.run.id })]
  }).pipe(Effect.catchTag("RowDamaged", () => Effect.succeed([])))

const checkSession = (data: string, query: Query, session: SessionKey, state: string) =>
  Effect.gen(function* () {
    const deletion = state === "live" ? [] : [make("deletion-unfinished", { session })]
    if (state === "hidden") return deletion
    const rows = yield* RowCheck.check(query, session)
    const transcript = yield* TranscriptCheck.check(query, session)
    // What events show comes from these, so their damage would be reported twice.
    const isWhole = ![...rows, ...transcript].some(({ kind }) => isRepairable(kind))
    const events = isWhole ? yield* EventCheck.check(query, session) : []
    const assets = yield* AssetCheck.checkRows(data, query, session)
    return [...deletion, ...rows, ...transcript, ...events, ...assets, ...(yield* leftBehind(query, session))]
  }).pipe(
    Effect.catchTags({
      SessionNotFound: () => Effect.succeed<ReadonlyArray<Finding>>([]),
      StorageFailed: ({ code, operation }) =>
        Effect.succeed<ReadonlyArray<Finding>>([make("session-unreadable", { session, operation, code })])
    })
  )

interface Row {
  readonly ordinal: number
  readonly id: string
  readonly state: string
}

/** Everything that is wrong with what a sound database holds, and with the files of its assets. */
export const check = (
  data: string,
  path: string,
  connection: Sqlite.Database
): Effect.Effect<ReadonlyArray<Finding>, never, Engines> =>
  Effect.gen(function* () {
    const query = queryOn(connection)
    const findings: Array<Finding> = []
    const ordinals = orphans(connection)
    if (ordinals.length > 0) findings.push(make("session-rows-missing", { path, ordinals }))
    const select = connection.prepare<[number, number], Row>(
      "SELECT ordinal, id, state FROM session_rows WHERE ordinal > ? ORDER BY ordinal LIMIT ?"
    )
    const { report } = yield* CheckProgress
    const total = connection.prepare<[], number>("SELECT count(*) FROM session_rows").pluck().get() ?? 0
    let done = 0
    for (let last = -1, rows = select.all(last, page); rows.length > 0; rows = select.all(last, page)) {
      for (const { id, ordinal, state } of rows) {
        last = ordinal
        const sessionId = Schema.decodeOption(SessionId)(id)
        if (Option.isNone(sessionId)) findings.push(make("session-id-invalid", { path, ordinal }))
        else findings.push(...(yield* checkSession(data, query, { ordinal, id: sessionId.value }, state)))
        yield* report(++done, total)
      }
    }
    return [...findings, ...(yield* AssetCheck.checkFiles(data, query))]
  }).pipe(
    Effect.catchAll(({ code, operation }) => Effect.succeed([make("unreadable", { path, code, operation })])),
    Effect.catchAllDefect((thrown) =>
      thrown instanceof Sqlite.SqliteError
        ? Effect.succeed([make("unreadable", { path, code: thrown.code, operation: "look at the sessions" })])
        : Effect.die(thrown)
    )
  )
