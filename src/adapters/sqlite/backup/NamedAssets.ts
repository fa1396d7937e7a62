/** The assets of a database: their paths below the data folder, and which of them do not have their content. */
import type Sqlite from "better-sqlite3"
import { Effect, Either, Option, Schema } from "effect"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { Asset } from "../../../domain/Asset.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import { attempt, attemptAsync, pause } from "./BackupFile.js"

/** An asset whose content is not what its row says. */
export interface Fault {
  readonly session: string
  /** The path of its file below the data folder, with slashes. */
  readonly name: string
  readonly detail: "missing" | "changed since it was saved"
}

/** Assets by the paths of their files below the data folder, with slashes. */
export type Named = ReadonlyMap<string, Asset>

interface Row {
  readonly ordinal: number
}

/** How many rows `query` selects at most. */
const page = 500

/** Selects the assets before an ordinal, the newest first: those are the ones that may be deleted soon. */
export const query = `SELECT assets.ordinal, assets.id, session_rows.id AS sessionId, assets.name,
    media_type AS mediaType, size, sha256, assets.created_at AS createdAt
  FROM assets JOIN session_rows ON session_rows.ordinal = assets.session
  WHERE session_rows.state <> 'hidden' AND assets.ordinal < ? ORDER BY assets.ordinal DESC LIMIT ${page}`

const decodeAsset = Schema.decodeUnknownEither(Asset)

/** The path of an asset's file below the data folder, with slashes. */
const nameOf = (asset: Asset): string => `assets/${AssetNames.folder(asset.sessionId)}/${AssetNames.file(asset)}`

/** Returns the assets of those rows of `query` that decode, by the paths of their files. */
export const ofRows = (rows: ReadonlyArray<unknown>): Named =>
  new Map(
    rows.flatMap((row) =>
      Either.match(decodeAsset(row), { onLeft: () => [], onRight: (asset) => [[nameOf(asset), asset]] })
    )
  )

/** Returns the assets whose rows decode, by the paths of their files, as far as the database can be read. */
export const inDatabase = (database: Sqlite.Database): Effect.Effect<Named> =>
  Effect.gen(function* () {
    const named = new Map<string, Asset>()
    let before = Number.MAX_SAFE_INTEGER
    const readPage = () => {
      const rows = database.prepare<[number], Row>(query).all(before)
      before = rows.at(-1)?.ordinal ?? before
      for (const [name, asset] of ofRows(rows)) named.set(name, asset)
      return rows.length === page
    }
    // Reading stops at a damaged page, which a check reports.
    yield* Effect.repeat(Effect.zipLeft(attempt(readPage), pause), { while: (isMore) => isMore }).pipe(Effect.ignore)
    return named
  })

/** Whether a data folder may have a file of this name below `assets`. No such name leads out of it. */
export const isName = (name: string): boolean => {
  const [root, folder = "", file = "", ...more] = name.split("/")
  return (
    root === "assets" && more.length === 0 && Option.isSome(AssetNames.sessionOf(folder)) && AssetNames.isFile(file)
  )
}

const namesIn = (path: string) =>
  Effect.orElseSucceed(
    attemptAsync(() => readdir(path)),
    () => []
  )

/** The names of all files that look like assets, whether or not a row names them. */
export const inFolder = (data: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const names: Array<string> = []
    for (const folder of yield* namesIn(join(data, "assets"))) {
      for (const file of yield* namesIn(join(data, "assets", folder))) names.push(`assets/${folder}/${file}`)
    }
    return names.filter(isName)
  })

/** Returns the named assets whose content is not what their rows say. */
export const faultsOf = (named: Named, digestOf: (name: string) => string | undefined): ReadonlyArray<Fault> =>
  [...named].flatMap(([name, { sessionId: session, sha256 }]): ReadonlyArray<Fault> => {
    const digest = digestOf(name)
    if (digest === undefined) return [{ session, name, detail: "missing" }]
    return digest === sha256 ? [] : [{ session, name, detail: "changed since it was saved" }]
  })
