/** What commands need for the database of a data folder, loaded in one piece when a command works on one. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Layer } from "effect"
import * as AssetFiles from "../../services/assets/AssetFiles.js"
import { DataDirectory } from "../../services/DataDirectory.js"
import * as NodeFolders from "../node/NodeFolders.js"

export { layer, layerMemory } from "../node/SkeinNode.js"
export { take } from "../sqlite/Snapshot.js"
export { remove as removeUnused } from "../sqlite/UnusedDatabase.js"

/** The assets of a data folder, for an engine whose database is elsewhere. */
export const assetsIn = (data: string) =>
  AssetFiles.layer.pipe(
    Layer.provide([NodeFolders.layer, NodeFileSystem.layer, NodePath.layer, Layer.succeed(DataDirectory, data)])
  )
