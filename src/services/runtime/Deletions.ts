/**
 * Deletions: stops a session's run, then removes the session with all that belongs to it. A deletion that has begun is
 * never undone; any engine may go on with it, even several at the same time.
 *
 *   1. one commit marks the session: it takes no more messages, runs or answers;
 *   2. its run is stopped, wherever it is driven, and its end is stored;
 *   3. one commit hides the session: from now on it cannot be found;
 *   4. its files are removed, then its rows in portions, then its own row: only then is its id free again.
 *
 * A session whose import did not finish is hidden as well, and is removed in the same way.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import { Assets } from "../assets/Assets.js"
import { EventLoop } from "../EventLoop.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import { WorkProgress } from "../WorkProgress.js"
import { Boundary } from "./Boundary.js"
import { Claims } from "./Claims.js"
import { Drivers } from "./Drivers.js"

export interface Service {
  /** Begins a deletion and completes it. */
  readonly run: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  /** Completes a deletion that has begun. */
  readonly finish: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  /**
   * Removes what is left of a hidden session, unless an engine that may be alive is importing it. Must run within the
   * boundary, so that the id is not taken before that.
   */
  readonly removeHidden: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
}

export class Deletions extends Context.Tag("skein/Deletions")<Deletions, Service>() {}

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const signals = yield* EventSignals
  const boundary = yield* Boundary
  const claims = yield* Claims
  const drivers = yield* Drivers
  const { turn } = yield* EventLoop

  /** Ends the run that holds a session whose deletion has begun, wherever it is. */
  const stopRun = Effect.fn("Deletions.stopRun")(function* (sessionId: SessionId) {
    const { holder } = yield* reader.occupancy(sessionId)
    if (Option.isNone(holder)) return
    const { run } = holder.value
    if (Option.contains(drivers.driven(sessionId), run.id)) return yield* drivers.stop(run.id, "deleted")
    yield* claims.takeOver(holder.value)
    yield* Effect.catchTag(claims.awaitEnd(run.id), "RunNotFound", () => Effect.void)
  })

  const removeHidden = Effect.fn("Deletions.removeHidden")(function* (sessionId: SessionId) {
    if (yield* assets.isReceiving(sessionId)) return
    yield* assets.removeFolder(sessionId)
    const report = yield* WorkProgress
    const total = report === null ? 0 : yield* reader.storedRows(sessionId)
    let done = 0
    for (let removed = -1; removed !== 0; done += removed) {
      if (report !== null) yield* report("deletion", done, total)
      removed = yield* storage.purge(sessionId)
      yield* turn
    }
    yield* storage.forget(sessionId)
  })

  const hideWhenFree = (
    sessionId: SessionId
  ): Effect.Effect<void, SkeinError.SessionNotFound | SkeinError.Write | SkeinError.Read> =>
    stopRun(sessionId).pipe(
      Effect.zipRight(storage.hide(sessionId)),
      Effect.catchTag("SessionBusy", () => hideWhenFree(sessionId))
    )

  const finish = Effect.fn("Deletions.finish")(function* (sessionId: SessionId) {
    // Another engine may be doing the same, and be faster.
    yield* Effect.catchTag(hideWhenFree(sessionId), "SessionNotFound", () => Effect.void)
    signals.signal(sessionId)
    yield* boundary.hold(sessionId)(removeHidden(sessionId))
  })

  return {
    run: (sessionId) => Effect.zipRight(boundary.hold(sessionId)(storage.beginDelete(sessionId)), finish(sessionId)),
    finish,
    removeHidden
  } satisfies Service
})

export const layer = Layer.effect(Deletions, make)
