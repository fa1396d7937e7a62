/**
 * The data folder that a killed process left: finished runs, a call in flight with a queue behind it, a draft, an open
 * question, assets, and events that began after those of a deleted session. No session has the same ordinal as a run,
 * so that a statement that confuses the two is noticed.
 */
import Sqlite from "better-sqlite3"
import { Effect, Layer, Logger } from "effect"
import { join } from "node:path"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import { sqlName } from "../../../../src/services/storage/sql/Table.js"
import { tables } from "../../../../src/services/storage/sql/Tables.js"
import * as Golden from "../../../support/golden/Golden.js"
import { engineIn, folder, lastingFolder } from "../../services/storage/disk.js"
import { databaseIn, engineOn } from "./populated.js"

const quietly = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.provide(layer, Logger.remove(Logger.defaultLogger))

/** How much greater the ordinals of the sessions are than those of the runs. */
const shift = 40

/** The ordinals of its sessions, by id. */
export const sessions = { full: 41, plainer: 42, held: 43, drafting: 44, asking: 45, reused: 48 }
export const ids = ["full", "plainer", "held", "drafting", "asking", "reused"].map((id) => SessionId.make(id))

/** Folders that are copied for each test. */
const bases = new Map<string, Promise<string>>()

const makeBase = Effect.fnUntraced(function* (golden: string) {
  const data = Golden.copy(join(golden, "data"), join(lastingFolder(), "data"))
  yield* Effect.void.pipe(Effect.provide(quietly(engineIn(data))))
  const connection = new Sqlite(databaseIn(data))
  connection.pragma("foreign_keys = OFF")
  for (const { name, session } of tables) {
    if (session === null) continue
    const column = sqlName(session)
    // Through negative numbers, so that two rows never have the same number in between.
    connection.exec(`UPDATE ${name} SET ${column} = -${column} - ${shift}; UPDATE ${name} SET ${column} = -${column}`)
  }
  connection.exec(`UPDATE sqlite_sequence SET seq = seq + ${shift} WHERE name = 'session_rows'`)
  // Version 0.1.0 had no such rows.
  connection.exec(
    `INSERT OR IGNORE INTO append_keys (session, key, hash, first, last) SELECT min(ordinal), 'k', 'h', 1, 2 FROM session_rows`
  )
  connection.pragma("wal_checkpoint(TRUNCATE)")
  connection.close()
  return data
})

/** The data folder of a golden folder, removed with the scope. Its log is empty. */
export const killedOf = Effect.fnUntraced(function* (golden: string) {
  const base = bases.get(golden) ?? Effect.runPromise(makeBase(golden))
  bases.set(golden, base)
  const from = yield* Effect.promise(() => base)
  return Golden.copy(from, join(yield* folder, "data"))
})

/** The data folder of version 0.1.0. */
export const killed = killedOf(Golden.golden("0.1.0"))

/** The ordinals of the sessions in a folder. */
export const ordinalsIn = (data: string): ReadonlyArray<number> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const ordinals = connection
    .prepare<[], number>("SELECT ordinal FROM session_rows WHERE state <> 'hidden'")
    .pluck()
    .all()
  connection.close()
  return ordinals
}

/** Every row of a session, from all tables that belong to sessions. */
export const rowsOf = (data: string, ordinal: number): ReadonlyArray<unknown> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const rows = tables.flatMap(({ key, name, session }) =>
    session === null
      ? []
      : connection
          .prepare<[number], object>(
            `SELECT * FROM ${name} WHERE ${sqlName(session)} = ? ORDER BY ${key.map(sqlName).join(", ")}`
          )
          .safeIntegers()
          .all(ordinal)
          .map((row) => ({ name, ...row }))
  )
  connection.close()
  return rows
}

/** The current ids of the sessions with these ordinals. */
const idsOf = (data: string, ordinals: ReadonlyArray<unknown>): ReadonlySet<unknown> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const all = connection
    .prepare<[], { readonly id: string; readonly ordinal: number }>("SELECT id, ordinal FROM session_rows")
    .all()
  connection.close()
  return new Set(all.filter(({ ordinal }) => ordinals.includes(ordinal)).map(({ id }) => id))
}

/** Sends a message to each session, denies every question, and returns how the runs end. */
export const sendToAll = (data: string) => send(data, () => true)

/**
 * The same for the sessions with these ordinals, and for one intact session: enough if the rows of all others were
 * compared.
 */
export const sendTo = (data: string, ordinals: ReadonlyArray<unknown>) => {
  const wanted = idsOf(data, [...ordinals, sessions.plainer])
  return send(data, (id) => wanted.has(id))
}

const send = (data: string, isWanted: (id: SessionId) => boolean) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const model = yield* ScriptedModel.ScriptedModel
    yield* model.play(...Array.from({ length: 40 }, () => ({ text: "an answer" })))
    const { sessions } = yield* gateway.sessions()
    const wanted = sessions.filter(({ id }) => isWanted(id))
    return yield* Effect.forEach(wanted, ({ id }) =>
      Effect.gen(function* () {
        const run = yield* gateway.send({ sessionId: id, text: "go on", whenBusy: "queue" })
        for (const question of yield* gateway.questions({ sessionId: id })) {
          yield* gateway.answer({ questionId: question.id, verdict: "deny" })
        }
        const { stopReason } = yield* gateway.await(run)
        return `${id} ${stopReason}`
      })
    )
  }).pipe(Effect.provide(quietly(engineOn(data))))
