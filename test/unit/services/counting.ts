/** A counting engine on a folder of its own, in which only what a test does happens, and what work costs in it. */
import { Effect, Layer, Supervisor } from "effect"
import * as Identity from "../../../src/adapters/node/Identity.js"
import * as SkeinNode from "../../../src/adapters/node/SkeinNode.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import { Counter, costs, counted, database } from "./storage/Counted.js"
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

/** The most that was counted between two turns of the event loop. */
export const mostOf = <A, E, R>(counted: () => number, work: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const loop = { most: 0, last: counted(), isOver: false }
      const turn = () => {
        loop.most = Math.max(loop.most, counted() - loop.last)
        loop.last = counted()
        if (!loop.isOver) setImmediate(turn)
      }
      turn()
      return loop
    }),
    (loop) => Effect.as(work, loop),
    (loop) => Effect.sync(() => (loop.isOver = true))
  ).pipe(Effect.map(({ last, most }) => Math.max(most, counted() - last)))

/**
 * The cost of work that has been done before. Other work of the engine can only add to it, so the least of several
 * measurements is the cost of the work itself.
 */
export const costOf = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* work
    const counter = yield* Counter
    const cost = costs(Infinity)
    for (let round = 0; round < 4; round++) {
      const before = { ...counter }
      yield* work
      for (const what of counted) cost[what] = Math.min(cost[what], counter[what] - before[what])
    }
    return cost
  })
