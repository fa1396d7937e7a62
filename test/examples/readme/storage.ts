/** Stands for the storage of the README's reader. */
import { Layer } from "effect"
import { EventSignals, MemoryStorage } from "skein/storage"

export const MyStorage = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

/** The storage in a folder. */
export const open = (_folder: string) => MyStorage
