/**
 * Reads a backup, piece by piece, and checks every byte. A salvage also reads a damaged backup: a piece that cannot be
 * read is filled with zeros, the list of files is read as far as it can be, and the database is there without it.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { statSync } from "node:fs"
import { open as openFile } from "node:fs/promises"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import {
  attempt,
  attemptAsync,
  first,
  mark,
  type OnBytes,
  pause,
  pieceBytesOf,
  type StoredFile,
  version
} from "./BackupFile.js"

export interface BackupReader {
  readonly files: ReadonlyArray<StoredFile>
  /** Whether all of a file's bytes are those that were added. */
  readonly isWhole: (file: StoredFile, onBytes: OnBytes) => Effect.Effect<boolean, unknown>
  /** The same, and also writes the bytes to `path`, which must not exist, and syncs them. */
  readonly extract: (file: StoredFile, path: string, onBytes: OnBytes) => Effect.Effect<boolean, unknown>
  readonly close: () => void
}

export interface Options {
  readonly isSalvage: boolean
}

/**
 * Opens a backup. Returns "other" for any other file, "newer" for a backup in a format that this version does not know.
 */
export const open = (path: string, options: Options): BackupReader | "other" | "newer" => {
  const connection = Driver.open(path, { readonly: true, fileMustExist: true })
  try {
    // SQLite refuses every read of a file that is shorter than its header says, unless this is set.
    if (options.isSalvage) connection.unsafeMode(true).pragma("writable_schema = ON")
    if (connection.pragma("application_id", { simple: true }) !== mark) return refuse(connection, "other")
    const found = connection.pragma("user_version", { simple: true })
    if (typeof found !== "number" || found > version) return refuse(connection, "newer")
    return reader(connection, statSync(path).size, options)
  } catch (thrown) {
    connection.close()
    throw thrown
  }
}

const refuse = <Why>(connection: Sqlite.Database, why: Why): Why => {
  connection.close()
  return why
}

/** Selects a piece of a file. */
type Pieces = Sqlite.Statement<[file: number, part: number], Buffer>

/** The database, if its beginning can be read, which says how long it is. Nothing says what its bytes were. */
const unlisted = (select: Pieces): ReadonlyArray<StoredFile> => {
  try {
    const header = select.get(first, 0)
    if (header === undefined || header.toString("latin1", 0, 15) !== "SQLite format 3") return []
    const pageSize = header.readUInt16BE(16)
    const size = (pageSize === 1 ? 65_536 : pageSize) * header.readUInt32BE(28)
    return [{ ordinal: first, name: DataLayout.databaseName, size, sha256: "" }]
  } catch {
    return []
  }
}

const filesOf = (connection: Sqlite.Database, select: Pieces, isSalvage: boolean): ReadonlyArray<StoredFile> => {
  const files: Array<StoredFile> = []
  try {
    for (const file of connection.prepare<[], StoredFile>("SELECT * FROM files ORDER BY ordinal").iterate()) {
      files.push(file)
    }
  } catch (thrown) {
    if (!isSalvage) throw thrown
  }
  return isSalvage && !files.some(({ name }) => name === DataLayout.databaseName)
    ? [...unlisted(select), ...files]
    : files
}

const reader = (connection: Sqlite.Database, fileSize: number, { isSalvage }: Options): BackupReader => {
  const select: Pieces = connection
    .prepare<[number, number], Buffer>("SELECT bytes FROM parts WHERE file = ? AND part = ?")
    .pluck()
  // The length is stored before the bytes, on another page.
  const selectLength = connection
    .prepare<[number, number], number>("SELECT length(bytes) FROM parts WHERE file = ? AND part = ?")
    .pluck()

  /** Zeros in place of a piece that cannot be read. No file is larger than the backup that it is in. */
  const hole = ({ name, ordinal, size }: StoredFile, part: number, done: number): Effect.Effect<Uint8Array> =>
    attempt(() => selectLength.get(ordinal, part)).pipe(
      Effect.orElseSucceed(() => undefined),
      Effect.map((length = pieceBytesOf(name)) =>
        Buffer.alloc(Math.max(0, Math.min(length, size - done, fileSize - done)))
      )
    )

  const read = (file: StoredFile, take: (bytes: Uint8Array) => Effect.Effect<void, unknown>, onBytes: OnBytes) =>
    Effect.gen(function* () {
      const digest = createHash("sha256")
      let done = 0
      for (let part = 0; ; part++) {
        const piece = attempt(() => select.get(file.ordinal, part))
        const stored = yield* isSalvage ? Effect.orElseSucceed(piece, () => undefined) : piece
        const bytes = stored ?? (isSalvage ? yield* hole(file, part, done) : Buffer.alloc(0))
        if (bytes.length === 0) break
        digest.update(bytes)
        yield* take(bytes)
        done += bytes.length
        yield* onBytes(bytes.length)
        yield* pause
      }
      return done === file.size && digest.digest("hex") === file.sha256
    })

  return {
    files: filesOf(connection, select, isSalvage),
    isWhole: (file, onBytes) => read(file, () => Effect.void, onBytes),
    extract: (file, path, onBytes) =>
      Effect.acquireUseRelease(
        attemptAsync(() => openFile(path, "wx", 0o600)),
        (target) =>
          Effect.zipLeft(
            read(file, (bytes) => Effect.asVoid(attemptAsync(() => target.writeFile(bytes))), onBytes),
            attemptAsync(() => target.sync())
          ),
        (target) => Effect.promise(() => target.close())
      ),
    close: () => void connection.close()
  }
}
