/**
 * The format of a backup: one SQLite file with an application id of its own. Its table `files` lists the files in it,
 * each with its size and digest; `parts` holds their bytes in pieces, in order; `faults` lists what was already wrong
 * when the backup was taken. A backup is written and read piece by piece, and every byte of it is checked.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { closeSync, fsyncSync, openSync, readSync, writeFileSync } from "node:fs"
import * as Driver from "../Driver.js"

/** "skeb" */
const mark = 0x736b6562

const version = 1

/** Bytes of one piece. */
const pieceBytes = 1024 * 1024

const tables = `
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

const attempt = <A>(run: () => A): Effect.Effect<A, unknown> => Effect.try({ try: run, catch: (thrown) => thrown })

/** Lets signals and timers run between two pieces. */
const pause = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

export interface BackupWriter {
  /** Adds a file's bytes, read from `path`. `onBytes` is called with how many were stored. */
  readonly add: (
    name: string,
    path: string,
    onBytes: (bytes: number) => Effect.Effect<void>
  ) => Effect.Effect<StoredFile, unknown>
  /** Removes a file again. */
  readonly drop: (file: StoredFile) => void
  readonly fault: (name: string, detail: string) => void
  /** Completes the backup and closes it. It is not synced yet. */
  readonly finish: (madeAt: number) => void
  readonly close: () => void
}

/** Creates a new file at `path`, which must not exist. Throws what SQLite throws. */
export const create = (path: string): BackupWriter => {
  closeSync(openSync(path, "wx", 0o600))
  const connection = Driver.open(path, { fileMustExist: true })
  // Nothing is ever rolled back here: an unfinished backup is thrown away as a whole.
  connection.pragma("journal_mode = OFF")
  connection.pragma("synchronous = OFF")
  connection.exec(`BEGIN; ${tables} PRAGMA application_id = ${mark}; PRAGMA user_version = ${version}`)
  const insertPart = connection.prepare<[number, number, Uint8Array]>("INSERT INTO parts VALUES (?, ?, ?)")
  const insertFile = connection.prepare<[number, string, number, string]>("INSERT INTO files VALUES (?, ?, ?, ?)")
  const insertFault = connection.prepare<[string, string]>("INSERT INTO faults VALUES (?, ?)")
  const buffer = Buffer.alloc(pieceBytes)
  const dropParts = connection.prepare<[number]>("DELETE FROM parts WHERE file = ?")
  const dropFile = connection.prepare<[number]>("DELETE FROM files WHERE ordinal = ?")
  let files = 0

  const copy = (descriptor: number, name: string, onBytes: (bytes: number) => Effect.Effect<void>) =>
    Effect.gen(function* () {
      const ordinal = ++files
      const digest = createHash("sha256")
      const takePiece = (part: number, offset: number) => {
        const piece = buffer.subarray(0, readSync(descriptor, buffer, 0, pieceBytes, offset))
        if (piece.length > 0) insertPart.run(ordinal, part, piece)
        digest.update(piece)
        return piece.length
      }
      let size = 0
      for (let part = 0; ; part++) {
        const length = yield* attempt(() => takePiece(part, size))
        if (length === 0) break
        size += length
        yield* onBytes(length)
        yield* pause
      }
      const sha256 = digest.digest("hex")
      yield* attempt(() => insertFile.run(ordinal, name, size, sha256))
      return { ordinal, name, size, sha256 }
    })

  return {
    add: (name, path, onBytes) =>
      Effect.acquireUseRelease(
        attempt(() => openSync(path, "r")),
        (descriptor) => copy(descriptor, name, onBytes),
        (descriptor) => Effect.sync(() => closeSync(descriptor))
      ),
    drop: ({ ordinal }) => {
      dropParts.run(ordinal)
      dropFile.run(ordinal)
    },
    fault: (name, detail) => void insertFault.run(name, detail),
    finish: (madeAt) => {
      connection.prepare<[number]>("INSERT INTO about VALUES (?)").run(madeAt)
      connection.exec("COMMIT")
      connection.close()
    },
    close: () => void connection.close()
  }
}

export interface BackupReader {
  readonly files: ReadonlyArray<StoredFile>
  /** Names of files that were missing or changed when the backup was taken. */
  readonly faults: ReadonlySet<string>
  /** Writes a file's bytes to `path`, which must not exist, and syncs them. False when they differ from those that were added. */
  readonly extract: (file: StoredFile, path: string) => Effect.Effect<boolean, unknown>
  readonly close: () => void
}

/** Opens a backup; "other" for any other file, "newer" for a backup in a format that this version does not know. */
export const open = (path: string): BackupReader | "other" | "newer" => {
  const connection = Driver.open(path, { readonly: true, fileMustExist: true })
  try {
    if (connection.pragma("application_id", { simple: true }) !== mark) return refuse(connection, "other")
    const found = connection.pragma("user_version", { simple: true })
    if (typeof found !== "number" || found > version) return refuse(connection, "newer")
    const files = connection.prepare<[], StoredFile>("SELECT * FROM files ORDER BY ordinal").all()
    const faults = connection.prepare<[], string>("SELECT name FROM faults").pluck().all()
    return {
      files,
      faults: new Set(faults),
      extract: (file, path) => extract(connection, file, path),
      close: () => void connection.close()
    }
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

const refuse = <Why>(connection: Sqlite.Database, why: Why): Why => {
  connection.close()
  return why
}

const extract = (connection: Sqlite.Database, { ordinal, sha256, size }: StoredFile, path: string) => {
  const select = connection
    .prepare<[number, number], Buffer>("SELECT bytes FROM parts WHERE file = ? AND part = ?")
    .pluck()
  const copy = (descriptor: number) =>
    Effect.gen(function* () {
      const digest = createHash("sha256")
      let written = 0
      for (let part = 0; ; part++) {
        const bytes = yield* attempt(() => select.get(ordinal, part))
        if (bytes === undefined) break
        yield* attempt(() => writeFileSync(descriptor, bytes))
        digest.update(bytes)
        written += bytes.length
        yield* pause
      }
      yield* attempt(() => fsyncSync(descriptor))
      return written === size && digest.digest("hex") === sha256
    })
  return Effect.acquireUseRelease(
    attempt(() => openSync(path, "wx", 0o600)),
    copy,
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )
}
