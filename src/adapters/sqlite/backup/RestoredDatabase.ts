/** A database that was taken out of a backup and is not yet in place: what it is, what is wrong with it, its repair. */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { copyFile } from "node:fs/promises"
import { StorageUnusable } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import { RestoreFailed } from "./BackupError.js"
import { attempt, attemptAsync } from "./BackupFile.js"
import * as Examination from "./Examination.js"
import { Examiner, type Remark } from "./Examiner.js"
import * as NamedAssets from "./NamedAssets.js"

/** Returns its schema's version; null when it cannot be opened. Fails when a newer version of Skein made it. */
export const versionOf = (path: string, file: string): Effect.Effect<number | null, RestoreFailed> =>
  attempt(() => inspect(path, Migrations.newest)).pipe(
    Effect.map((version) => (version === 0 ? null : version)),
    Effect.catchAll((thrown) =>
      thrown instanceof StorageUnusable && thrown.reason === "newer-version"
        ? new RestoreFailed({ path: file, reason: "newer-version", detail: thrown.detail })
        : Effect.succeed(null)
    )
  )

/** Returns what is damaged in it. It stays as it is: a database of an older version is checked in a copy. */
export const look = (path: string, version: number) =>
  Effect.gen(function* () {
    if (version === Migrations.newest) return yield* Examination.ofCopy(path, version)
    const copy = `${path}.copy`
    yield* attemptAsync(() => copyFile(path, copy))
    return Examination.relocated(yield* Examination.ofCopy(copy, version), copy, path)
  })

const using = <A, E>(path: string, use: (database: Sqlite.Database) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    attempt(() => Driver.open(path, { readonly: true, fileMustExist: true })),
    use,
    (database) => Effect.sync(() => database.close())
  )

export const assetsOf = (path: string) => using(path, NamedAssets.inDatabase)

/**
 * Repairs it, together with its assets. A database of an older version is then migrated and repaired again, because its
 * rows can be repaired only after that.
 */
export const repair = (workplace: string, file: string) =>
  Effect.gen(function* () {
    const examiner = yield* Examiner
    const path = DataLayout.databaseIn(workplace)
    const beyond = (detail: string) => new RestoreFailed({ path: file, reason: "beyond-salvage", detail })
    const repaired = Effect.mapError(examiner.repair(workplace), ({ code }) => beyond(code))
    const remarks = yield* repaired
    const version = yield* versionOf(path, file)
    if (version === null) {
      const [first] = Examination.relocated(remarks, `${workplace}/`, "")
      return yield* beyond(first?.text ?? "")
    }
    if (version === Migrations.newest) return remarks
    yield* Effect.mapError(Examination.migrated(path), (error) => beyond(codeOf(error)))
    return [...remarks, ...(yield* repaired)]
  })

/** What a repair has left of a session. */
export interface Kept {
  readonly session: string
  readonly messages: number
  readonly files: number
  readonly lost: Remark["lost"]
}

interface Counts {
  readonly messages: number
  readonly files: number
}

/** Returns the number of its sessions, and what is left of each session that a repair has changed. */
export const contentsOf = (path: string, remarks: ReadonlyArray<Remark>) =>
  using(path, (database) =>
    attempt(() => {
      const repaired = remarks.filter(({ state }) => state === "repaired")
      const ids = new Set(repaired.flatMap(({ sessions }) => sessions))
      const count = database.prepare<[string], Counts>(
        `SELECT (SELECT count(*) FROM messages WHERE messages.session = session_rows.ordinal) AS messages,
           (SELECT count(*) FROM assets WHERE assets.session = session_rows.ordinal) AS files
         FROM session_rows WHERE session_rows.id = ?`
      )
      const kept = [...ids].map((session): Kept => {
        const own = repaired.filter(({ sessions }) => sessions.includes(session))
        const sum = (of: keyof Remark["lost"]) => own.reduce((sum, { lost }) => sum + lost[of], 0)
        const lost = { messages: sum("messages"), files: sum("files"), rows: sum("rows") }
        const { files, messages } = count.get(session) ?? { messages: 0, files: 0 }
        return { session, messages: Math.max(0, messages - lost.messages), files, lost }
      })
      const sessions =
        database.prepare<[], number>("SELECT count(*) FROM session_rows WHERE state <> 'hidden'").pluck().get() ?? 0
      return { sessions, kept }
    })
  )
