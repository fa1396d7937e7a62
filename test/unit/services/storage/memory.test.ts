import { Layer } from "effect"
import { storageSuite } from "skein/testing"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryFiles from "../../../../src/services/assets/MemoryFiles.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"

const layer = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

storageSuite({
  name: "MemoryStorage",
  layer,
  assets: Assets.layer.pipe(
    Layer.provideMerge(layer),
    Layer.provide([MemoryFiles.layer, NodeHashing.layer, Identity.layer])
  )
})
