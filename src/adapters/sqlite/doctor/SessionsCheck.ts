/**
 * Looks at every session by itself, through the queries of the engine's own storage: what these can read, the engine
 * can. What is damaged in one session says nothing of the others, and stops the look at none of them.
 */
import Sqlite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { SessionId } from "../../../domain/Session.js"
import { Engines } from "../../../services/Engines.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as AssetCheck from "./AssetCheck.js"
import { queryOn } from "./Connection.js"
import * as EventCheck from "./EventCheck.js"
import * as FieldsCheck from "./FieldsCheck.js"
import { beyondRepair, damage, type Finding, note } from "./Finding.js"
import { adopt, orphans } from "./Orphans.js"
import { named, type Subject } from "./Subject.js"
import * as TranscriptCheck from "./TranscriptCheck.js"

const page = 500

const again = "make a backup, and look again"

/** A run whose process died. It is no damage: whoever claims the session next closes it. */
const crashed = (subject: Subject) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const { holder } = yield* RunRows.activity(subject.query, subject.id)
    if (Option.isNone(holder)) return []
    const { engine, run } = holder.value
    const isDead = (yield* engines.liveness(engine)) === "dead"
    return isDead
      ? [note(named(subject), `run ${run.id} was left by a process that died`, "the next message or --resume goes on")]
      : []
  })

const checkSession = (data: string, subject: Subject, state: string) =>
  Effect.gen(function* () {
    const unfinished = note(
      named(subject),
      "its deletion has begun and is not finished",
      "the next engine goes on with it"
    )
    if (state === "hidden") return [unfinished]
    const fields = yield* FieldsCheck.check(subject)
    const transcript = yield* TranscriptCheck.check(subject)
    // What events show comes from these, so their damage would be told twice.
    const isWhole = [...fields, ...transcript].every(({ repair }) => repair === null)
    const events = isWhole ? yield* EventCheck.check(subject) : []
    const assets = yield* AssetCheck.checkRows(data, subject)
    const runs = yield* Effect.catchTag(crashed(subject), "RowDamaged", () => Effect.succeed([]))
    return [...(state === "deleting" ? [unfinished] : []), ...fields, ...transcript, ...events, ...assets, ...runs]
  }).pipe(
    Effect.catchTags({
      SessionNotFound: () => Effect.succeed<ReadonlyArray<Finding>>([]),
      StorageFailed: ({ code, operation }) =>
        Effect.succeed([beyondRepair(named(subject), `cannot ${operation} (${code})`, again)])
    })
  )

/** Everything that is wrong with what a sound database holds, and with the files of its assets. */
export const check = (
  data: string,
  path: string,
  connection: Sqlite.Database
): Effect.Effect<ReadonlyArray<Finding>, never, Engines> =>
  Effect.gen(function* () {
    const query = queryOn(connection)
    const findings: Array<Finding> = []
    const lost = orphans(connection)
    if (lost.length > 0) {
      const what = `rows of ${lost.length} session${lost.length === 1 ? "" : "s"} whose own row is missing`
      findings.push(damage(path, what, "each gets a row, as a session named Recovered", adopt))
    }
    const select = connection.prepare<
      [number, number],
      { readonly ordinal: number; readonly id: string; readonly state: string }
    >("SELECT ordinal, id, state FROM session_rows WHERE ordinal > ? ORDER BY ordinal LIMIT ?")
    for (let last = -1, rows = select.all(last, page); rows.length > 0; rows = select.all(last, page)) {
      for (const { id, ordinal, state } of rows) {
        last = ordinal
        const sessionId = Schema.decodeOption(SessionId)(id)
        if (Option.isSome(sessionId)) {
          findings.push(...(yield* checkSession(data, { ordinal, id: sessionId.value, query }, state)))
        } else {
          findings.push(beyondRepair(path, `session ${ordinal} has an id that no session can have`, "restore a backup"))
        }
      }
    }
    const files = yield* Effect.catchAll(AssetCheck.checkFiles(data, query), ({ code, operation }) =>
      Effect.succeed([beyondRepair(path, `cannot ${operation} (${code})`, again)])
    )
    return [...findings, ...files]
  }).pipe(
    Effect.catchAllDefect((thrown) =>
      thrown instanceof Sqlite.SqliteError
        ? Effect.succeed([beyondRepair(path, `its sessions cannot be looked at (${thrown.code})`, again)])
        : Effect.die(thrown)
    )
  )
