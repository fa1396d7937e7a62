/**
 * Upkeep: what engines owe the database that they share. Deletions that a dead engine began are finished. Files that
 * belong to nothing are removed, and so are events that need not be kept.
 *
 * It begins in the background with the first change that this engine makes, and repeats every hour: an engine that only
 * reads writes nothing. What fails is logged and tried again the next time. Engines that divide their work among
 * themselves have one of them do it.
 */
import { Clock, Context, Duration, Effect, Layer, Schedule } from "effect"
import type * as SkeinError from "../../domain/SkeinError.js"
import { endingSoon } from "../AtMost.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventLoop } from "../EventLoop.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import { StorageClock } from "../storage/StorageClock.js"
import { Deletions } from "./Deletions.js"
import { Shares } from "./Shares.js"

export interface Service {
  /** Starts the upkeep, unless it has been started. */
  readonly start: Effect.Effect<void>
  /** Does the upkeep for as long as it runs: immediately, then every hour. */
  readonly hourly: Effect.Effect<never>
  /** Finishes deletions that a dead engine began and removes files that belong to nothing. */
  readonly sweep: Effect.Effect<void, SkeinError.Delete>
}

export class Upkeep extends Context.Tag("skein/Upkeep")<Upkeep, Service>() {}

const hour = 60 * 60 * 1000
const day = 24 * hour

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const deletions = yield* Deletions
  const { eventDays, eventsKept } = yield* EngineConfig
  const { turn } = yield* EventLoop
  const { keepsUp } = yield* Shares
  const scope = yield* Effect.scope
  const { ahead } = yield* StorageClock

  const sweep = Effect.gen(function* () {
    const [failures] = yield* Effect.partition(yield* reader.deleting, ({ sessionId }) => deletions.finish(sessionId))
    yield* assets.sweep
    if (failures[0] !== undefined) return yield* failures[0]
  }).pipe(Effect.withSpan("Upkeep.sweep"))

  /** Removes events that need not be kept, unless an engine has done so within the hour. */
  const retain = Effect.gen(function* () {
    const now = (yield* Clock.currentTimeMillis) + ahead()
    const retention = { before: now - eventDays * day, keep: eventsKept, since: now - hour }
    while (yield* storage.prune(retention)) yield* turn
  }).pipe(Effect.withSpan("Upkeep.retain"))

  // The store of files may take its time.
  const once = endingSoon(Effect.zipRight(Effect.ignoreLogged(sweep), Effect.ignoreLogged(retain)))
  const hourly = Effect.logDebug("upkeep begins").pipe(
    Effect.zipRight(Effect.repeat(once, Schedule.spaced(Duration.millis(hour)))),
    Effect.zipRight(Effect.never),
    Effect.onInterrupt(() => Effect.logDebug("upkeep ends"))
  )
  let hasBegun = !keepsUp

  return {
    start: Effect.suspend(() => {
      if (hasBegun) return Effect.void
      hasBegun = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(hourly), scope))
    }),
    hourly,
    sweep
  } satisfies Service
})

export const layer = Layer.scoped(Upkeep, make)
