/**
 * Where a server of this host keeps its files, and where it is found: in the data folder, wherever the sessions are.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import * as DataFolder from "../node/DataFolder.js"
import type * as Place from "./Place.js"

export interface ServerFolder {
  /** Its path. */
  readonly path: string
  /** The file by which the server of a place is found. */
  readonly found: string
}

export const of = Effect.fn("ServerFolder.of")(function* (given: Place.Given, place: Place.Place) {
  const data =
    place._tag === "Folder"
      ? place.data
      : yield* DataFolder.data(yield* DataFolder.host, given.value("data") ?? undefined)
  const path = join(data, "server")
  const database = place._tag === "Folder" ? "" : `${place.name} ${place.schema ?? ""}`
  const name = database === "" ? "server" : `server-${createHash("sha256").update(database).digest("hex").slice(0, 16)}`
  return { path, found: join(path, `${name}.json`) } satisfies ServerFolder
})
