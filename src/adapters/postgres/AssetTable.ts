/**
 * Assets in the database itself, as chunks of 256 KiB: all hosts reach them without another service.
 *
 * - `asset_files` has a row for each placed file and each marker, `asset_chunks` the content written so far. Placing
 *   gives the marker's row the name of the file, and gives the marker a new row.
 * - Contents are written and read chunk by chunk: at most one chunk of each is in memory, and a part of a content is
 *   read only from the chunks that hold it.
 * - Assets have a connection of their own, so a large content never delays a session's writes and reads. It is opened
 *   when the first asset is saved, read or swept.
 * - Every statement may be sent twice: a statement on a lost connection is sent again.
 */
import { Effect, Layer, Stream } from "effect"
import type { Redacted, Scope } from "effect"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { AssetFiles, FilesFailed } from "../../services/assets/AssetFiles.js"
import type { Service, Upload } from "../../services/assets/AssetFiles.js"
import { EngineConfig } from "../../services/EngineConfig.js"
import type { Parameter, SqlFailure } from "../../services/storage/sql/Database.js"
import { isRow } from "./Connection.js"
import * as Readers from "./Readers.js"

export interface Options {
  readonly url: Redacted.Redacted
  /** The schema that has the tables. */
  readonly schema: string
}

/**
 * Bytes of each chunk of a content except the last.
 *
 * @internal
 */
export const chunkBytes = 256 * 1024

/**
 * Bytes of the largest asset: the log, the backups and the standbys of a database carry all of its assets.
 *
 * @internal
 */
export const mostBytes = 32 * 1024 * 1024

const missing = (detail: string) => new FilesFailed({ missing: true, detail })

/** Whether a chunk belongs to a file that is gone. */
const isOfNothing = (code: string): boolean => code === "23503"

/** Whether a name is taken. */
const isTaken = (code: string): boolean => code === "23505"

const codeOf = (error: SqlFailure | StorageFailed | StorageUnusable): string =>
  error._tag === "StorageUnusable" ? error.detail : error.code

/** Collects bytes into chunks. The bytes are copied, so the caller may reuse its buffer. */
const makeChunks = () => {
  let chunk = new Uint8Array(0)
  let used = 0
  return {
    /** Takes as many bytes as fit, and returns their number. */
    take: (bytes: Uint8Array): number => {
      const taken = bytes.subarray(0, chunkBytes - used)
      if (used + taken.length > chunk.length) {
        // Most contents are small.
        const larger = new Uint8Array(Math.min(chunkBytes, Math.max(used + taken.length, 2 * chunk.length)))
        larger.set(chunk.subarray(0, used))
        chunk = larger
      }
      chunk.set(taken, used)
      used += taken.length
      return taken.length
    },
    isFull: () => used === chunkBytes,
    isEmpty: () => used === 0,
    content: () => chunk.subarray(0, used),
    clear: () => {
      used = 0
    }
  }
}

const make = ({ schema, url }: Options): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { busyMaxMillis } = yield* EngineConfig
    const { query } = yield* Readers.make({
      url,
      schema,
      applicationName: "skein assets",
      isLane: true,
      lockMillis: busyMaxMillis,
      busyMaxMillis,
      count: 1
    })

    const tried = (text: string, parameters: ReadonlyArray<Parameter>) =>
      Effect.mapError(query(text, parameters), codeOf)

    const failed = (code: string) =>
      new FilesFailed({ missing: isOfNothing(code), detail: `the database answered ${code}` })

    const ask = (text: string, ...parameters: ReadonlyArray<Parameter>) =>
      Effect.mapError(tried(text, parameters), failed)

    const rows = <Row>(text: string, ...parameters: ReadonlyArray<Parameter>) =>
      Effect.map(ask(text, ...parameters), ({ rows }) => rows.filter(isRow<Row>))

    /** A statement that was sent runs to its end even if its caller is interrupted. */
    const change = <A, R>(effect: Effect.Effect<A, FilesFailed, R>) => Effect.uninterruptible(effect)

    const begin = ({ folder, marker }: Upload) =>
      Effect.asVoid(
        ask(
          "INSERT INTO asset_files (folder, name, marker) VALUES ($1, $2, $2) ON CONFLICT (folder, name) DO NOTHING",
          folder,
          marker
        )
      )

    const create = Effect.fnUntraced(function* ({ folder, marker }: Upload) {
      const [found] = yield* rows<{ readonly id: number; readonly isWritten: boolean }>(
        `SELECT id, EXISTS (SELECT 1 FROM asset_chunks WHERE file = asset_files.id) AS "isWritten"
         FROM asset_files WHERE folder = $1 AND name = $2`,
        folder,
        marker
      )
      if (found === undefined) return yield* missing("the upload is gone")
      if (found.isWritten) return yield* new FilesFailed({ missing: false, detail: "the upload has a content" })
      const { id } = found
      const chunk = makeChunks()
      let count = 0
      let size = 0

      const writeChunk = Effect.gen(function* () {
        yield* ask(
          "INSERT INTO asset_chunks (file, n, bytes) VALUES ($1, $2, $3) ON CONFLICT (file, n) DO NOTHING",
          id,
          count,
          chunk.content()
        )
        count += 1
        chunk.clear()
      })

      const append = Effect.fnUntraced(function* (bytes: Uint8Array) {
        size += bytes.length
        if (size > mostBytes) {
          return yield* new FilesFailed({ missing: false, detail: `it is larger than ${mostBytes} bytes` })
        }
        for (let at = 0; at < bytes.length;) {
          at += chunk.take(bytes.subarray(at))
          if (chunk.isFull()) yield* writeChunk
        }
      })

      const sync = Effect.gen(function* () {
        if (!chunk.isEmpty()) yield* writeChunk
        const { count: changed } = yield* ask("UPDATE asset_files SET size = $2 WHERE id = $1", id, size)
        if (changed === 0) return yield* missing("the upload is gone")
      })
      return { append: (bytes: Uint8Array) => change(append(bytes)), sync: change(sync) }
    })

    /** Whether this upload has the place. */
    const isPlaced = ({ folder, marker }: Upload, file: string) =>
      Effect.map(
        rows("SELECT 1 FROM asset_files WHERE folder = $1 AND name = $2 AND marker = $3", folder, file, marker),
        ({ length }) => length > 0
      )

    const unplace = ({ folder, marker }: Upload, file: string) =>
      ask("DELETE FROM asset_files WHERE folder = $1 AND name = $2 AND marker = $3", folder, file, marker)

    const place = (upload: Upload, file: string) =>
      tried(
        `WITH moved AS (
           UPDATE asset_files SET name = $3 WHERE folder = $1 AND name = $2 AND size IS NOT NULL RETURNING folder, marker
         )
         INSERT INTO asset_files (folder, name, marker) SELECT folder, marker, marker FROM moved`,
        [upload.folder, upload.marker, file]
      ).pipe(
        Effect.map(({ count }) => count > 0),
        Effect.catchIf(isTaken, () => Effect.succeed(false)),
        Effect.mapError(failed),
        Effect.flatMap((isDone) => {
          if (isDone) return Effect.succeed(true)
          // An earlier try whose answer was lost may have placed it.
          return Effect.filterOrElse(
            isPlaced(upload, file),
            (isPlaced) => isPlaced,
            () => whyNotPlaced(upload, file)
          )
        }),
        Effect.onError(() => Effect.ignoreLogged(unplace(upload, file)))
      )

    /** Returns false if another upload has the place. */
    const whyNotPlaced = Effect.fnUntraced(function* ({ folder, marker }: Upload, file: string) {
      const found = yield* rows<{ readonly name: string }>(
        "SELECT name FROM asset_files WHERE folder = $1 AND name IN ($2, $3)",
        folder,
        marker,
        file
      )
      if (!found.some(({ name }) => name === marker)) return yield* missing("the upload is gone")
      if (found.length === 1) return yield* new FilesFailed({ missing: false, detail: "the upload has no content" })
      return false
    })

    /**
     * Removes a row and its chunks. The row is looked up first, because repeating a removal whose answer was lost finds
     * nothing.
     */
    const remove = Effect.fnUntraced(function* (folder: string, name: string) {
      const found = yield* rows("SELECT 1 FROM asset_files WHERE folder = $1 AND name = $2", folder, name)
      if (found.length === 0) return false
      yield* ask("DELETE FROM asset_files WHERE folder = $1 AND name = $2", folder, name)
      return true
    })

    /** The part of a chunk that is in the range from `start` to `end`. */
    const piece = Effect.fnUntraced(function* (id: number, n: number, start: number, end: number) {
      const from = Math.max(start - n * chunkBytes, 0)
      const [found] = yield* rows<{ readonly bytes: Uint8Array }>(
        "SELECT substr(bytes, $3, $4) AS bytes FROM asset_chunks WHERE file = $1 AND n = $2",
        id,
        n,
        from + 1,
        Math.min(end - n * chunkBytes, chunkBytes) - from
      )
      return found === undefined ? yield* missing("a chunk is gone") : found.bytes
    })

    const read: Service["read"] = ({ file, folder }, { length, offset }) =>
      rows<{ readonly id: number; readonly size: number }>(
        "SELECT id, size FROM asset_files WHERE folder = $1 AND name = $2 AND size IS NOT NULL",
        folder,
        file
      ).pipe(
        Effect.filterOrFail(
          ([found]) => found !== undefined,
          () => missing("the file is gone")
        ),
        Effect.map(([found]) => {
          if (found === undefined) return Stream.empty
          const end = Math.min(offset + length, found.size)
          if (offset >= end) return Stream.empty
          return Stream.range(Math.floor(offset / chunkBytes), Math.ceil(end / chunkBytes) - 1).pipe(
            Stream.rechunk(1),
            Stream.mapEffect((n) => piece(found.id, n, offset, end))
          )
        }),
        Stream.unwrap
      )

    const names = (text: string, ...parameters: ReadonlyArray<Parameter>) =>
      Effect.map(rows<{ readonly name: string }>(text, ...parameters), (rows) => rows.map(({ name }) => name))

    return {
      mostBytes,
      begin: (upload) => change(begin(upload)),
      create,
      place: (upload, file) => change(place(upload, file)),
      end: ({ folder, marker }) => change(remove(folder, marker)),
      age: ({ folder, marker }) =>
        Effect.map(
          rows<{ readonly age: number }>(
            `SELECT (extract(epoch FROM clock_timestamp() - begun_at) * 1000)::bigint AS age
             FROM asset_files WHERE folder = $1 AND name = $2`,
            folder,
            marker
          ),
          ([found]) => found?.age ?? 0
        ),
      read,
      remove: ({ file, folder }) => change(remove(folder, file)),
      removeEmpty: () => Effect.void,
      folders: names("SELECT DISTINCT folder AS name FROM asset_files"),
      entries: (folder) => names("SELECT name FROM asset_files WHERE folder = $1", folder)
    }
  })

/** Keeps assets in the schema that `PostgresStorage` has made. */
export const layer = (options: Options): Layer.Layer<AssetFiles> => Layer.scoped(AssetFiles, make(options))
