/**
 * One seed, one interleaving: engines in two processes over one storage, everybody who uses them, kills and faults, and
 * at the end the books are balanced. What is broken is reported with its seed, which replays it.
 */
import { Cause, Effect, Exit, Fiber, Logger, Predicate, Random, Scope } from "effect"
import { AssetFiles } from "../../../src/services/assets/AssetFiles.js"
import * as MemoryFiles from "../../../src/services/assets/MemoryFiles.js"
import { broken, BrokenPromise } from "../../support/verdicts/BrokenPromise.js"
import { known } from "../../support/verdicts/KnownSession.js"
import * as Actors from "./Actors.js"
import * as Finale from "../../support/verdicts/Finale.js"
import { SeededScheduler } from "./SeededScheduler.js"
import type { Store } from "./Stores.js"
import * as World from "./World.js"

export interface Outcome {
  readonly seed: number
  /** Null when every promise held. */
  readonly failure: string | null
  /** Tells two interleavings apart. */
  readonly fingerprint: number
  readonly turns: number
}

const scenario = (scheduler: SeededScheduler, store: Store) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    let number = 0
    const random = World.dice(scheduler)
    const breaches: Array<string> = []
    const world: World.World = {
      random,
      scheduler,
      ground: yield* store(random, breaches),
      files: yield* Effect.provide(AssetFiles, MemoryFiles.layer),
      ids: World.sequentialIds(),
      next: () => ++number,
      breaches,
      started: new Map(),
      running: new Map()
    }
    const { below, chance } = world.random
    const processes = yield* Effect.forEach(["first", "second"], (name) =>
      Scope.extend(World.engine(world, name), scope)
    )
    const [first, second] = processes
    if (first === undefined || second === undefined) return broken("simulation", "no processes")

    const sessions = Array.from({ length: 1 + below(2) }, (_, n) => known(`session-${n}`))
    for (const { id } of sessions) {
      const create = Effect.catchTag(first.gateway.create({ id, workdir: "/" }), "SessionExists", () => Effect.void)
      yield* Effect.retry(create, { times: 20 })
    }

    const actors = yield* Effect.forEach(
      sessions.flatMap((session) => [
        ...Actors.cast(world, first, session).map((actor) => [first, actor] as const),
        ...(chance(0.4) ? Actors.guests(world, second, session).map((actor) => [second, actor] as const) : [])
      ]),
      ([process, actor]) => Effect.map(World.start(world, process, actor), (fiber) => ({ process, fiber }))
    )
    const watching = yield* Effect.forEach(
      sessions.flatMap((session) => Actors.watchers(world, first, session)),
      (watcher) => World.start(world, first, watcher)
    )
    if (chance(0.4)) {
      yield* Effect.sleep(below(1_000))
      scheduler.kill(first.process)
    }
    const living = actors.filter(({ process }) => scheduler.isAlive(process.process))
    for (const { fiber } of living) yield* Fiber.await(fiber)

    const survivors = scheduler.isAlive(first.process) ? [first, second] : [second]
    const [survivor = second] = survivors
    for (const session of sessions) {
      const isThere = yield* Finale.rest(survivor, survivors, session)
      if (isThere) yield* Finale.check(survivor, session)
    }
    if (scheduler.isAlive(first.process)) {
      yield* Fiber.interruptAll(watching)
      yield* Scope.close(scope, Exit.void)
    }
    const [breach] = world.breaches
    if (breach !== undefined) throw new BrokenPromise(breach)
  })

/** Runs one seed to its end. */
export const simulate = (seed: number, store: Store): Outcome => {
  const scheduler = new SeededScheduler(seed)
  let ended: Exit.Exit<void, unknown> | null = null
  const program = Effect.scoped(scenario(scheduler, store)).pipe(
    Effect.withClock(scheduler.clock),
    Effect.withRandom(Random.make(seed)),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )
  Effect.runFork(program, { scheduler }).addObserver((exit) => (ended = exit))
  const failure = failureOf(() => {
    scheduler.run(() => ended !== null)
    return ended
  })
  const fingerprint = scheduler.trace.reduce((hash, number) => (Math.imul(hash, 31) + number) | 0, seed)
  return { seed, failure, fingerprint, turns: scheduler.trace.length / 2 }
}

const describe = (error: unknown): string =>
  `${Predicate.hasProperty(error, "_tag") ? String(error._tag) : ""} ${error instanceof Error ? error.message : JSON.stringify(error)}`

const failureOf = (run: () => Exit.Exit<void, unknown> | null): string | null => {
  try {
    const exit = run()
    if (exit === null || Exit.isSuccess(exit)) return null
    return [...Cause.failures(exit.cause), ...Cause.defects(exit.cause)].map(describe).join(", ") || "interrupted"
  } catch (thrown) {
    return String(thrown)
  }
}
