/** Takes back a new database in which nothing was stored, for a command that failed after it had created one. */
import { Effect } from "effect"
import { rmdirSync, unlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { sessionRows } from "../../services/storage/sql/Tables.js"
import * as DataLayout from "./DataLayout.js"
import { attempt, forRepair } from "./doctor/Connection.js"

const isUnused = (path: string) =>
  Effect.flatMap(forRepair(path), (connection) =>
    attempt(
      "look at the database",
      () => connection.prepare<[], number>(`SELECT count(*) FROM ${sessionRows.name}`).pluck().get() === 0
    )
  )

/** A folder that has something in it stays. */
const removeEmpty = (folder: string) => Effect.ignore(Effect.try(() => rmdirSync(folder)))

/**
 * Removes a database without a session, and those of the given folders that are empty then. Does nothing while another
 * process has the database open, or when it is not what it is expected to be.
 */
export const remove = (path: string, folders: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (!(yield* isUnused(path))) return
    // Nobody else can open it until the scope is closed, and whoever then does sees that it was replaced.
    yield* Effect.try(() => DataLayout.partsOf(path).forEach((part) => unlinkSync(part)))
    yield* Effect.forEach([join(dirname(path), "assets"), ...folders], removeEmpty, { discard: true })
  }).pipe(Effect.scoped, Effect.ignore)
