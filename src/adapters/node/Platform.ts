/** What an engine on Node needs besides its storage: this process, files, hashes, the data folder and the settings. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Layer } from "effect"
import { DataDirectory } from "../../services/DataDirectory.js"
import { EventLoop } from "../../services/EventLoop.js"
import { turn } from "../EventLoop.js"
import * as EngineConfig from "../../services/EngineConfig.js"
import * as Identity from "./Identity.js"
import * as NodeCallProcesses from "./NodeCallProcesses.js"
import * as NodeFolders from "./NodeFolders.js"
import * as NodeHashing from "./NodeHashing.js"

/** The platform of an engine that keeps nothing. */
export const layerMemory = (config: EngineConfig.Options, hosts: Identity.Hosts = "one") =>
  Layer.mergeAll(
    Identity.layerOn(hosts),
    NodeHashing.layer,
    EngineConfig.layer(config),
    Layer.succeed(EventLoop, { turn })
  )

/** The platform of an engine over a storage that one host uses or many may share. */
export const layerOver = (config: EngineConfig.Options, hosts: Identity.Hosts) =>
  Layer.mergeAll(
    layerMemory(config, hosts),
    NodeFolders.layer,
    NodeCallProcesses.layer,
    NodeFileSystem.layer,
    NodePath.layer
  )

/** The platform of an engine on this data folder. */
export const layer = (data: string, config: EngineConfig.Options) =>
  Layer.merge(layerOver(config, "one"), Layer.succeed(DataDirectory, data))
