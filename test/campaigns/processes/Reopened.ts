/** What a data folder holds, as seen by a process that opens it again: this one. */
import Sqlite from "better-sqlite3"
import { Effect, Layer, Stream } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { layerIds } from "../../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import { textOf } from "../../../src/domain/Message.js"
import type { SessionId } from "../../../src/domain/Session.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import { StorageReader } from "../../../src/services/storage/Storage.js"
import * as Finale from "../../support/verdicts/Finale.js"

const over = <A, E>(data: string, read: Effect.Effect<A, E, StorageReader>) =>
  Effect.provide(read, Layer.fresh(Layer.provide(SqliteStorage.layer, [layerIds, Layer.succeed(DataDirectory, data)])))

/** The first lines of a session's messages, in order. The whole file is checked first. */
export const names = (data: string, sessionId: SessionId) =>
  Effect.zipRight(
    Effect.sync(() => check(data)),
    stored(data, sessionId)
  )

const stored = (data: string, sessionId: SessionId) =>
  over(
    data,
    Effect.gen(function* () {
      const reader = yield* StorageReader
      const entries = yield* Stream.runCollect(reader.transcript({ sessionId }))
      return [...entries].map(({ message }) => textOf(message).split("\n")[0] ?? "")
    })
  )

/** The transcript and the events of each session, compared with each other. The whole file is checked first. */
export const records = (data: string, sessions: ReadonlyArray<SessionId>) =>
  over(
    data,
    Effect.zipRight(
      Effect.sync(() => check(data)),
      recordsOf(sessions)
    )
  )

/** Like `records`, from any storage. */
export const recordsOf = (sessions: ReadonlyArray<SessionId>) =>
  Effect.flatMap(StorageReader, (reader) =>
    Effect.forEach(sessions, (sessionId) => Finale.record({ reader }, sessionId))
  )

/** Throws unless SQLite finds the file intact. */
const check = (data: string): void => {
  const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
  try {
    const found = connection.pragma("integrity_check", { simple: true })
    if (found !== "ok") throw new Error(String(found))
  } finally {
    connection.close()
  }
}

/** All files below a folder, by their relative paths. */
export const files = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
