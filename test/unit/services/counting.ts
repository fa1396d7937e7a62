/** A counting engine on a folder of its own. Only what a test does happens in it. */
import { Effect, Layer, Supervisor } from "effect"
import * as Identity from "../../../src/adapters/node/Identity.js"
import * as SkeinNode from "../../../src/adapters/node/SkeinNode.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import { Counter, database } from "./storage/Counted.js"
import { folder } from "./storage/disk.js"

class FiberCounter extends Supervisor.AbstractSupervisor<void> {
  constructor(private readonly counter: Counter["Type"]) {
    super()
  }
  override readonly value = Effect.void
  override onStart() {
    this.counter.fibers++
  }
}

export const engine = Effect.map(folder, (directory) => {
  const storage = SqliteStorage.layerOver(database).pipe(
    Layer.provide([Identity.layerIds, Layer.succeed(DataDirectory, directory)])
  )
  return SkeinNode.layerOver(storage, { data: directory, recoverMillis: null })
})

/** Counts the fibers of everything that is built with this layer. */
export const fibers = Layer.unwrapEffect(
  Effect.map(Counter, (count) => Supervisor.addSupervisor(new FiberCounter(count)))
)
