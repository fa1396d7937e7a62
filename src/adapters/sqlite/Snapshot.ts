/**
 * A copy of a database at one instant, made through SQLite and never from the bytes of the file. It needs no log next
 * to it, and only the user can read it.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Runtime } from "effect"
import { closeSync, openSync } from "node:fs"
import * as Driver from "./Driver.js"
import * as Sync from "./Sync.js"

const create = (target: string) =>
  Effect.try({ try: () => closeSync(openSync(target, "wx", 0o600)), catch: (error) => error })

/** Opens a database, and keeps reading it as it is at this instant, whatever others write. */
const openAsOfNow = (path: string): Sqlite.Database => {
  const connection = Driver.open(path, { readonly: true, fileMustExist: true, timeout: 0 })
  try {
    connection.exec("BEGIN")
    connection.prepare("SELECT 1 FROM sqlite_schema").get()
    return connection
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

/** Pages that are copied in one step of the event loop. */
const stepPages = 1_000

type OnProgress = (done: number, total: number) => Effect.Effect<void>

/**
 * Copies the database of a connection into `target`, which must not exist, and syncs it. It takes many steps, during
 * which the caller must keep others from writing: a change would make it start again. `onProgress` gets the number of
 * bytes copied, and the total. An interruption ends it after the current step. Fails with SQLite's or the system's error.
 */
export const takeBy = (
  connection: Sqlite.Database,
  target: string,
  onProgress: OnProgress
): Effect.Effect<void, unknown> =>
  create(target).pipe(
    Effect.zipRight(copyPages(connection, target, onProgress)),
    // A signal that came during the last step, which is a long one, is seen now.
    Effect.zipLeft(eventLoopTurned),
    Effect.flatMap((bytes) => onProgress(bytes, bytes)),
    Effect.zipRight(settle(target))
  )

/** The same for the database at `path`, as it is now, while others may write. */
export const take = (path: string, target: string, onProgress: OnProgress): Effect.Effect<void, unknown> =>
  Effect.acquireUseRelease(
    Effect.try({ try: () => openAsOfNow(path), catch: (error) => error }),
    (connection) => takeBy(connection, target, onProgress),
    (connection) => Effect.sync(() => connection.close())
  )

const eventLoopTurned = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Returns how many bytes it has copied. */
const copyPages = (connection: Sqlite.Database, target: string, onProgress: OnProgress) =>
  Effect.flatMap(Effect.runtime(), (runtime) =>
    Effect.async<number, unknown>((resume) => {
      const pageBytes = Number(connection.pragma("page_size", { simple: true }))
      let isGivenUp = false
      const progress = ({ remainingPages, totalPages }: Sqlite.BackupMetadata) => {
        if (isGivenUp) throw new Error("given up")
        Runtime.runFork(runtime)(onProgress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes))
        return stepPages
      }
      const copied = connection.backup(target, { progress }).then(
        ({ totalPages }) => resume(Effect.succeed(totalPages * pageBytes)),
        (error: unknown) => resume(Effect.fail(error))
      )
      return Effect.suspend(() => {
        isGivenUp = true
        return Effect.promise(() => copied)
      })
    })
  )

/** Takes away the journal mode that the copy has from its original: it needs none. */
const settle = (target: string) =>
  Effect.try({
    try: () => {
      const copy = Driver.open(target, { fileMustExist: true })
      try {
        copy.pragma("journal_mode = DELETE")
      } finally {
        copy.close()
      }
      Sync.file(target)
    },
    catch: (error) => error
  })
