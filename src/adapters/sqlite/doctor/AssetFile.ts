/** The files of assets: what their names tell of rows that are damaged. */
import { Array, Schema } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Asset } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import type { assets } from "../../../services/storage/sql/Tables.js"
import type * as Rows from "./Rows.js"

type AssetRow = Rows.RowOf<typeof assets>

const decode = Schema.decodeUnknownOption(Asset)

/** The assets of a session, as far as their rows decode. */
export const decoded = (sessionId: string, rows: Iterable<AssetRow>): ReadonlyArray<Asset> =>
  Array.filterMap(rows, (row) => decode({ ...row, sessionId }))

/** The names in a folder; none when it cannot be read. */
export const namesIn = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Where the folders of all sessions are. */
export const rootOf = (data: string): string => join(data, "assets")

export const folderOf = (data: string, sessionId: SessionId): string => join(rootOf(data), AssetNames.folder(sessionId))

/** What the name of an asset's file says. */
export const named = (name: string) => {
  const [, createdAt, sha256 = ""] = name.split(".")
  return { id: AssetNames.assetOf(name), createdAt: Number(createdAt), sha256 }
}

/**
 * The columns that the name of an asset's file tells: of the one that has its id or its digest, and is no other asset's.
 * None when that is not exactly one.
 */
export const told = (data: string, sessionId: SessionId, row: AssetRow, all: ReadonlyArray<AssetRow>): Rows.Row => {
  const folder = folderOf(data, sessionId)
  const others = decoded(
    sessionId,
    all.filter((other) => other !== row)
  )
  const taken = new Set(others.map(AssetNames.file))
  const fitting = namesIn(folder).flatMap((name) => {
    const columns = named(name)
    const isOf = columns.id === row.id || columns.sha256 === row.sha256
    if (!AssetNames.isFile(name) || taken.has(name) || !isOf) return []
    return [{ ...columns, size: statSync(join(folder, name)).size }]
  })
  const [only] = fitting
  return only === undefined || fitting.length > 1 ? {} : only
}
