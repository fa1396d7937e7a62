/**
 * The format of a backup: one SQLite file with an application id of its own. Its table `files` lists the files in it,
 * each with its size and digest; `parts` holds their bytes in pieces, in order; `faults` lists the assets whose content
 * was missing or changed when the backup was taken, for versions that do not check that themselves. The database is the
 * first file, so that it is found where only the beginning of a backup can be read, and not its list.
 */
import { Effect } from "effect"
import * as DataLayout from "../DataLayout.js"

/** "skeb" */
export const mark = 0x736b6562

export const version = 1

/**
 * Bytes of one piece: what is read, hashed and written in one step of the event loop, and what is lost with a damaged
 * page of the backup. For a database that should be little; an asset that has lost anything is not what it was anyway.
 */
export const pieceBytesOf = (name: string): number => (name === DataLayout.databaseName ? 64 : 1024) * 1024

/** The ordinal of the database. */
export const first = 1

export const tables = `
  CREATE TABLE files (
    ordinal INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, sha256 TEXT NOT NULL
  ) STRICT;
  CREATE TABLE parts (file INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (file, part)) STRICT;
  CREATE TABLE faults (name TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
  CREATE TABLE about (made_at INTEGER NOT NULL) STRICT;`

export interface StoredFile {
  readonly ordinal: number
  /** Its path below the data folder, with slashes. */
  readonly name: string
  readonly size: number
  readonly sha256: string
}

/** Called with the number of bytes that a step has done. */
export type OnBytes = (bytes: number) => Effect.Effect<void>

export const attempt = <A>(run: () => A): Effect.Effect<A, unknown> =>
  Effect.try({ try: run, catch: (thrown) => thrown })

export const attemptAsync = <A>(run: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: run, catch: (thrown) => thrown })

/** Lets signals and timers run between two pieces. */
export const pause = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})
