/** Writes a backup, piece by piece. */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { closeSync, openSync, readSync } from "node:fs"
import * as DataLayout from "../DataLayout.js"
import * as Driver from "../Driver.js"
import {
  attempt,
  first,
  mark,
  type OnBytes,
  pause,
  pieceBytesOf,
  type StoredFile,
  tables,
  version
} from "./BackupFile.js"

/** Pieces that are removed in one step of the event loop. */
const dropped = 256

export interface BackupWriter {
  /** Adds a file's bytes, read from `path`. */
  readonly add: (name: string, path: string, onBytes: OnBytes) => Effect.Effect<StoredFile, unknown>
  /** Removes a file again. */
  readonly drop: (file: StoredFile) => Effect.Effect<void, unknown>
  readonly fault: (name: string, detail: string) => void
  /** Completes the backup and closes it. It is not synced yet. */
  readonly finish: (madeAt: number) => void
  readonly close: () => void
}

/** Creates a new file at `path`, which must not exist. Throws SQLite's or the system's error. */
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
  const dropParts = connection.prepare<[number, number, number]>(
    "DELETE FROM parts WHERE file = ? AND part BETWEEN ? AND ?"
  )
  const dropFile = connection.prepare<[number]>("DELETE FROM files WHERE ordinal = ?")
  let files = first

  const copy = (descriptor: number, name: string, onBytes: OnBytes) =>
    Effect.gen(function* () {
      const ordinal = name === DataLayout.databaseName ? first : ++files
      const digest = createHash("sha256")
      const buffer = Buffer.alloc(pieceBytesOf(name))
      const takePiece = (part: number, offset: number) => {
        const piece = buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, offset))
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
    drop: ({ ordinal }) =>
      Effect.gen(function* () {
        for (let part = 0; ; part += dropped) {
          const { changes } = yield* attempt(() => dropParts.run(ordinal, part, part + dropped - 1))
          if (changes === 0) break
          yield* pause
        }
        yield* attempt(() => dropFile.run(ordinal))
      }),
    fault: (name, detail) => void insertFault.run(name, detail),
    finish: (madeAt) => {
      connection.prepare<[number]>("INSERT INTO about VALUES (?)").run(madeAt)
      connection.exec("COMMIT")
      connection.close()
    },
    close: () => void connection.close()
  }
}
