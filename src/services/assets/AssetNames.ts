/**
 * The names of assets on disk. All names are made here from ids, never from a caller's file name.
 *
 * - A session's folder: its id, with each capital written as `=` and the small letter, so that `A` and `a` are two
 *   folders on a case-insensitive file system. A name that Windows reserves ends in `=`.
 * - A file: asset id, time of the save and digest. Two saves share a name only if they agree in all three, so the
 *   clean-up of one save never removes another's file. The row determines the file's name.
 * - A marker: the folder of an unfinished save, with its engine in the name (`EngineInName`).
 */
import { Option, Schema } from "effect"
import type { Asset } from "../../domain/Asset.js"
import type { EngineId } from "../../domain/Lease.js"
import { SessionId } from "../../domain/Session.js"
import * as EngineInName from "../EngineInName.js"

const escapeCapitals = (id: string): string => id.replace(/[A-Z]/g, (letter) => `=${letter.toLowerCase()}`)
const restoreCapitals = (name: string): string => name.replace(/=[a-z]/g, (pair) => pair.slice(1).toUpperCase())

const reservedByWindows = /^(?:con|prn|aux|nul|com\d|lpt\d)$/

export const folder = (sessionId: SessionId): string => {
  const name = escapeCapitals(sessionId)
  return reservedByWindows.test(name) ? `${name}=` : name
}

/** The session of a folder; none if `folder` did not make the name. */
export const sessionOf = (name: string): Option.Option<SessionId> =>
  Schema.decodeOption(SessionId)(restoreCapitals(name.replace(/=$/, ""))).pipe(
    Option.filter((sessionId) => folder(sessionId) === name)
  )

export const file = (asset: Asset): string => `${escapeCapitals(asset.id)}.${asset.createdAt}.${asset.sha256}`

/** Whether the name has the form that `file` returns. */
export const isFile = (name: string): boolean => /^[a-z0-9=_-]+\.-?\d+\.[0-9a-f]{64}$/.test(name)

/** The id of the asset whose file has this name. */
export const assetOf = (name: string): string => restoreCapitals(name.replace(/\..*$/, ""))

/** The marker of one save; `token` is unique to it. */
export const marker = (token: string, engine: EngineId): string => EngineInName.name(token, engine, "upload")

/** Whether the name is the marker of an import: its token is one of `Ids`. */
export const isImport = (name: string): boolean => name.startsWith(".imp_") && isMarker(name)

/** What the names of folders begin with from which a process reads the time of the disk. A killed process leaves one. */
export const clockPrefix = ".now-"

export const isClock = (name: string): boolean => name.startsWith(clockPrefix)

/** Whether the name is a marker, of this version or another. */
export const isMarker = (name: string): boolean => name.startsWith(".") && name.endsWith(".upload")
