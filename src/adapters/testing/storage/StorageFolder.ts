/** A place for a storage that outlives its layer, such as a folder or a database. */
import type { Layer } from "effect"
import type { TestedServices } from "./StorageTest.js"

/** A program that serves the storage of one folder, with `serve`, as Node or the shell would start it. */
export interface Program {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Environment variables in addition to those of the tests' own process. */
  readonly env?: Readonly<Record<string, string>>
}

/** A place that outlives any storage that is opened on it. */
export interface StorageFolder {
  /** Opens what is stored there each time that it is built. Several may be open at the same time. */
  readonly layer: Layer.Layer<TestedServices, unknown>
}

/** A place that several processes share. */
export interface SharedStorageFolder extends StorageFolder {
  readonly program: Program
}
