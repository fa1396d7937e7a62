/** Stands for the storage of whoever reads the README. */
import { Layer } from "effect"
import * as EventSignals from "../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../src/services/storage/memory/MemoryStorage.js"

export const MyStorage = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

/** The storage in a folder. */
export const open = (_folder: string) => MyStorage
