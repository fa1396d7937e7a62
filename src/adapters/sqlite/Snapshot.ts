/**
 * A copy of a database at one instant, made through SQLite and never from the bytes of the file. It needs no log next
 * to it, and only the user can read it.
 */
import type Sqlite from "better-sqlite3"
import { Effect, Runtime } from "effect"
import { closeSync, openSync } from "node:fs"
import * as Driver from "./Driver.js"
import * as Sync from "./Sync.js"

const create = (path: string, target: string): Sqlite.Database => {
  closeSync(openSync(target, "wx", 0o600))
  return Driver.open(path, { readonly: true, fileMustExist: true, timeout: 0 })
}

/** Pages that are copied in one step of the event loop. */
const stepPages = 1_000

/**
 * Copies the database at `path` into `target`, which must not exist, and syncs it. It takes many steps, during which
 * the caller must keep others from writing: a change would make it start again. `onProgress` gets the number of bytes
 * copied, and the total. An interruption ends it after the current step. Fails with SQLite's or the system's error.
 */
export const take = (
  path: string,
  target: string,
  onProgress: (done: number, total: number) => Effect.Effect<void>
): Effect.Effect<void, unknown> =>
  Effect.acquireUseRelease(
    Effect.try({ try: () => create(path, target), catch: (error) => error }),
    (connection) =>
      copyPages(connection, target, onProgress).pipe(
        // A signal that came during the last step, which is a long one, is seen now.
        Effect.zipLeft(eventLoopTurned),
        Effect.flatMap((bytes) => onProgress(bytes, bytes)),
        Effect.zipRight(settle(target))
      ),
    (connection) => Effect.sync(() => connection.close())
  )

const eventLoopTurned = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Returns how many bytes it has copied. */
const copyPages = (
  connection: Sqlite.Database,
  target: string,
  onProgress: (done: number, total: number) => Effect.Effect<void>
) =>
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
