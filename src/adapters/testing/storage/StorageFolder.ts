/** Where a storage is kept that outlives its layer: a folder, a database. */
import type { Layer } from "effect"
import type { Tested } from "./StorageTest.js"

/** A program that serves the storage of one folder, with `serve`, as Node or the shell would start it. */
export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Variables beside those of the tests' own process. */
  readonly env?: Readonly<Record<string, string>>
}

export interface StorageFolder {
  /** Opens what is there, each time that it is built, several at once too. */
  readonly layer: Layer.Layer<Tested, unknown>
}

export interface SharedStorageFolder extends StorageFolder {
  readonly program: Program
}
