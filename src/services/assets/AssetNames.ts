/**
 * The names under which assets lie on disk, and what can be read from them. All names are made here, from ids, never
 * from what a caller called a file.
 *
 * - A session's folder: its id, each capital written as `=` and the small letter, so that `A` and `a` stay two folders
 *   where the file system does not tell them apart; a name that Windows reserves gets a `=` at its end.
 * - A file: asset id, time of the save and digest. Two saves never share a name unless they agree in all three, so what
 *   is cleaned up after one save is never another's file, and a row tells its own file's name.
 * - A marker: the folder of one save that has not ended, with its engine in its name (`EngineInName`).
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

/** Whose folder it is; none when it is not one that `folder` names. */
export const sessionOf = (name: string): Option.Option<SessionId> =>
  Schema.decodeOption(SessionId)(restoreCapitals(name.replace(/=$/, ""))).pipe(
    Option.filter((sessionId) => folder(sessionId) === name)
  )

export const file = (asset: Asset): string => `${escapeCapitals(asset.id)}.${asset.createdAt}.${asset.sha256}`

/** Whether it has the form of a name that `file` returns. */
export const isFile = (name: string): boolean => /^[a-z0-9=_-]+\.-?\d+\.[0-9a-f]{64}$/.test(name)

/** The marker of one save; `token` is an id of its own. */
export const marker = (token: string, engine: EngineId): string => EngineInName.name(token, engine, "upload")

/** Whether it is a marker, of this version or of another. */
export const isMarker = (name: string): boolean => name.startsWith(".") && name.endsWith(".upload")
