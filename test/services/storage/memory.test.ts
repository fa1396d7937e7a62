import { Layer } from "effect"
import * as EventSignals from "../../../src/services/EventSignals.js"
import * as MemoryStorage from "../../../src/services/memory/MemoryStorage.js"
import { storageSuite } from "./suite.js"

storageSuite("MemoryStorage", Layer.fresh(Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)))
