/** The files of assets, and what their names say about damaged rows. */
import { Option } from "effect"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { SessionId } from "../../../domain/Session.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import type { Files } from "../../../services/storage/sql/doctor/Database.js"
import { assetsOf } from "../../../services/storage/sql/doctor/SessionCheck.js"

/** The names in a folder; none when the folder cannot be read. */
export const namesIn = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** The folder that contains the folders of all sessions. */
export const rootOf = (data: string): string => join(data, "assets")

export const folderOf = (data: string, sessionId: SessionId): string => join(rootOf(data), AssetNames.folder(sessionId))

/** The columns that are part of the name of an asset's file. */
export const named = (name: string) => {
  const [, createdAt, sha256 = ""] = name.split(".")
  return { id: AssetNames.assetOf(name), createdAt: Number(createdAt), sha256 }
}

/** A damaged row is completed from the one file that has its id or its digest and belongs to no other asset. */
export const filesIn = (data: string): Omit<Files, "check"> => ({
  told: (sessionId, row, all) => {
    const folder = folderOf(data, sessionId)
    const others = assetsOf(
      sessionId,
      all.filter((other) => other !== row)
    )
    const taken = new Set(others.map(AssetNames.file))
    const fitting = namesIn(folder).flatMap((name) => {
      const columns = named(name)
      const isOf = columns.id === row["id"] || columns.sha256 === row["sha256"]
      if (!AssetNames.isFile(name) || taken.has(name) || !isOf) return []
      return [{ ...columns, size: statSync(join(folder, name)).size }]
    })
    const [only] = fitting
    return only === undefined || fitting.length > 1 ? {} : only
  },
  sessionOf: (files) => {
    const root = rootOf(data)
    const folder = namesIn(root).find((name) => namesIn(join(root, name)).some((file) => files.has(file)))
    return Option.flatMap(Option.fromNullable(folder), AssetNames.sessionOf)
  },
  hasFolder: (sessionId) => existsSync(folderOf(data, sessionId))
})
