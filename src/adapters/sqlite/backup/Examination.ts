/**
 * What is wrong with a copy of a database: the one check that decides what a backup says and what a restore accepts.
 * Assets are compared by the caller, which has the digests at hand. A copy of an older version is migrated first,
 * because its rows cannot be checked before that.
 */
import { Effect, Logger, LogLevel } from "effect"
import * as Migrations from "../Migrations.js"
import * as SqliteFailure from "../SqliteFailure.js"
import { Examiner, type Remark } from "./Examiner.js"

/** A copy that cannot be migrated cannot be opened by any engine. */
const unmigratable = (path: string, code: string): Remark => ({
  kind: "unmigratable",
  state: "damage",
  sessions: [],
  lost: { messages: 0, files: 0, rows: 0 },
  text: `${path}: its migration fails (${code})`,
  advice: `${path}: its migration fails (${code})`
})

/** Migrates a copy, without the logs, which would help nobody. */
export const migrated = (path: string) => Logger.withMinimumLogLevel(Migrations.migrate(path), LogLevel.None)

/** Checks the copy at `path`. Returns what is damaged. */
export const ofCopy = (path: string, version: number) =>
  Effect.gen(function* () {
    const examiner = yield* Examiner
    const look = Effect.map(examiner.look(path), (remarks) => remarks.filter(({ state }) => state === "damage"))
    if (version === Migrations.newest) return yield* look
    // Pages first: a copy that cannot be read is not migrated.
    const damage = yield* look
    if (damage.length > 0) return damage
    return yield* Effect.matchEffect(migrated(path), {
      onSuccess: () => look,
      onFailure: (error) => {
        if (error._tag === "StorageUnusable") return Effect.succeed([unmigratable(path, error.reason)])
        // A full disk says nothing about the copy.
        return SqliteFailure.isOfFullDisk(error.code) ? error : Effect.succeed([unmigratable(path, error.code)])
      }
    })
  })

/** Returns remarks about one path as remarks about the path that it stands for. */
export const relocated = (remarks: ReadonlyArray<Remark>, from: string, to: string): ReadonlyArray<Remark> =>
  remarks.map((remark) => ({
    ...remark,
    text: remark.text.replaceAll(from, to),
    advice: remark.advice.replaceAll(from, to)
  }))
