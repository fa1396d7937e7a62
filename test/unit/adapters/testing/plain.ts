/** A program that vitest does not run and that only needs a scripted model. */
import { ScriptedModel } from "skein/scripted-model"
import { storageSuite } from "skein/testing"
import { Layer } from "effect"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"

console.log(ScriptedModel.make([ScriptedModel.text("Hello")]).provider)
try {
  storageSuite({ name: "none", layer: Layer.provideMerge(MemoryStorage.layer, EventSignals.layer) })
} catch (error) {
  console.log(String(error))
}
