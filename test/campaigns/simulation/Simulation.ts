/**
 * One seed, one interleaving: engines in two processes over one storage, their users, kills and faults, and a final
 * check of the books. What is broken is reported with its seed, which replays it.
 */
import { Cause, Effect, Exit, Fiber, Logger, Option, Predicate, Random, Scope } from "effect"
import type { Entry } from "../../../src/domain/Message.js"
import type { SessionId } from "../../../src/domain/Session.js"
import { AssetFiles } from "../../../src/services/assets/AssetFiles.js"
import * as MemoryFiles from "../../../src/services/assets/MemoryFiles.js"
import { broken, BrokenPromise } from "../../support/verdicts/BrokenPromise.js"
import { known, type Process } from "../../support/verdicts/KnownSession.js"
import * as Actors from "./Actors.js"
import * as Coverage from "./Coverage.js"
import * as Finale from "../../support/verdicts/Finale.js"
import { processOf, SeededScheduler } from "./SeededScheduler.js"
import type { Store } from "./Stores.js"
import * as Verdicts from "./Verdicts.js"
import * as World from "./World.js"

export interface Outcome {
  readonly seed: number
  /** Null when every promise held. */
  readonly failure: string | null
  /** Distinguishes two interleavings. */
  readonly fingerprint: number
  readonly turns: number
  /** What occurred, and how often. */
  readonly counts: Coverage.Counts
}

/**
 * Closes an engine, whose disk may be full, while its runs go on. It must end in bounded time, and is dead afterwards.
 */
const close = (world: World.World, { process }: Process, scope: Scope.CloseableScope) =>
  Effect.gen(function* () {
    if (world.random.chance(0.4)) world.full.add(process)
    const closing = yield* Effect.forkDaemon(Effect.locally(Scope.close(scope, Exit.void), processOf, process))
    const hasEnded = Effect.sync(() => closing.unsafePoll() !== null)
    if (!(yield* Verdicts.eventually(hasEnded, 60))) broken("closing", `${process} does not end`)
  })

const scenario = (scheduler: SeededScheduler, store: Store, note: World.World["note"]) =>
  Effect.gen(function* () {
    let number = 0
    const random = World.dice(scheduler)
    const breaches: Array<string> = []
    const full = new Set<string>()
    const connections = new Map<string, Effect.Effect<void>>()
    const world: World.World = {
      random,
      scheduler,
      ground: yield* store({ dice: random, breaches, note, isFull: (process) => full.has(process), connections }),
      files: World.slowly(yield* Effect.provide(AssetFiles, MemoryFiles.layer), random),
      ids: World.sequentialIds(),
      note,
      full,
      sentBy: new Map(),
      snapshots: [],
      watchers: [],
      next: () => ++number,
      breaches,
      started: new Map(),
      recovery: World.recovering(random),
      keyed: [],
      appended: new Map(),
      steps: new Map(),
      running: new Map()
    }
    const { below, chance } = world.random
    const engines = yield* Effect.forEach(["first", "second"], (name) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        return { scope, process: yield* Scope.extend(World.engine(world, name), scope) }
      })
    )
    const [
      { process: first, scope } = broken("simulation", "no first engine"),
      { process: second } = broken("simulation", "no second engine")
    ] = engines

    const sessions = Array.from({ length: 1 + below(2) }, (_, n) => known(`session-${n}`))
    for (const { id } of sessions) {
      const create = Effect.catchTag(first.gateway.create({ id, workdir: "/" }), "SessionExists", () => Effect.void)
      yield* Effect.retry(create, { times: 20 })
    }

    const actors = yield* Effect.forEach(
      [
        ...sessions.flatMap((session) => [
          ...Actors.cast(world, first, session).map((actor) => [first, actor] as const),
          ...(chance(0.6) ? Actors.guests(world, second, session).map((actor) => [second, actor] as const) : [])
        ]),
        ...(chance(0.3) ? Actors.succession(world, first, second) : [])
      ],
      ([process, actor]) => Effect.map(World.start(world, process, actor), (fiber) => ({ process, fiber }))
    )
    const watching = yield* Effect.forEach(
      sessions.flatMap((session) => Actors.watchers(world, first, session)),
      (watcher) => World.start(world, first, watcher)
    )
    const left = new Map<SessionId, ReadonlyArray<Entry>>()
    const fate = random.pick(["killed", "killed", "closed", "closed", "lives"])
    if (fate !== "lives") yield* Effect.sleep(below(1_000))
    if (fate === "killed") world.note("an engine killed")
    if (fate === "closed") {
      // A host that closes its engine no longer uses it.
      yield* Fiber.interruptAll(watching)
      yield* Fiber.interruptAll(actors.flatMap(({ fiber, process }) => (process === first ? [fiber] : [])))
      const held = yield* Effect.forEach(sessions, ({ id }) => Effect.option(second.reader.activity(id)))
      if (held.some((activity) => Option.isSome(activity) && Option.isSome(activity.value.holder))) {
        world.note("an engine closed during a run")
      }
      yield* close(world, first, scope)
    }
    if (fate !== "lives") {
      scheduler.kill(first.process)
      yield* connections.get(first.process) ?? Effect.void
      for (const { id } of sessions) {
        left.set(id, yield* Effect.orElseSucceed(Finale.entriesOf(second, id), () => []))
        if (yield* Verdicts.hasAbandoned(world, second, id)) {
          world.note("a run queued behind the run of an engine that left")
        }
      }
      for (const session of sessions) {
        if (chance(0.3)) continue
        actors.push({
          process: second,
          fiber: yield* World.start(world, second, Actors.returner(world, second, session))
        })
      }
    }
    const living = actors.filter(({ process }) => scheduler.isAlive(process.process))
    for (const { fiber } of living) yield* Fiber.await(fiber)

    const survivors = scheduler.isAlive(first.process) ? [first, second] : [second]
    const [survivor = second] = survivors
    for (const session of sessions) {
      yield* Verdicts.queueMoves(world, survivor, session)
      const isThere = yield* Finale.rest(survivor, survivors, session)
      if (!isThere) continue
      const { entries, events } = yield* Finale.check(survivor, session)
      Verdicts.staysAsItWas(left.get(session.id) ?? [], entries)
      Verdicts.keysAreKept(world, session, entries)
      Verdicts.noteReleases(world, events)
      for (const snapshot of world.snapshots) {
        if (snapshot.sessionId === session.id) Verdicts.snapshotGoesOn(snapshot, events)
      }
      yield* Verdicts.watchersCatchUp(world, survivor, session)
    }
    if (scheduler.isAlive(first.process)) {
      yield* Fiber.interruptAll(watching)
      for (const { scope } of engines) yield* Scope.close(scope, Exit.void)
    }
    const [breach] = world.breaches
    if (breach !== undefined) throw new BrokenPromise(breach)
  })

/** Runs one seed to its end. */
export const simulate = (seed: number, store: Store): Outcome => {
  const scheduler = new SeededScheduler(seed)
  const counts = new Map<Coverage.Occurrence, number>()
  let ended: Exit.Exit<void, unknown> | null = null
  const program = Effect.scoped(scenario(scheduler, store, (occurrence) => Coverage.note(counts, occurrence))).pipe(
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
  return { seed, failure, fingerprint, turns: scheduler.trace.length / 2, counts }
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
