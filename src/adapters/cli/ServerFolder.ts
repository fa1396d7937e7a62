/**
 * Where the servers of this host keep their files, and where they are found: in the data folder, wherever the sessions
 * are.
 */
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import * as DataFolder from "../node/DataFolder.js"
import type * as Place from "./Place.js"

export interface ServerFolder {
  /** Its path. */
  readonly path: string
  /** The folder by which the servers of a place are found. */
  readonly running: string
}

export const of = Effect.fn("ServerFolder.of")(function* (given: Place.Given, place: Place.Place) {
  const data =
    place._tag === "Folder"
      ? place.data
      : yield* DataFolder.data(yield* DataFolder.host, given.value("data") ?? undefined)
  const path = join(data, "server")
  const database = place._tag === "Folder" ? "" : `${place.name} ${place.schema ?? ""}`
  const suffix = database === "" ? "" : `-${createHash("sha256").update(database).digest("hex").slice(0, 16)}`
  return { path, running: join(path, `running${suffix}`) } satisfies ServerFolder
})
