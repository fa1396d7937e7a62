/**
 * Hints for all sessions: one reader for all subscribers, which exists while there are any. The signals of this process
 * say which sessions have changed, and that other processes have committed. The reader reads immediately, then at most
 * once in a moment, however much has changed meanwhile.
 *
 * A subscription begins with a `gap`: changes that are in the list when the client loads it need no hint, and later
 * changes get one.
 */
import { Cause, Effect, Exit, Fiber, FiberSet, Stream } from "effect"
import type { Owner, SessionId } from "../../domain/Session.js"
import type { ChangesQuery } from "../../domain/SessionHint.js"
import type { Read } from "../../domain/SkeinError.js"
import * as Closed from "../runtime/Closed.js"
import { Leases } from "../runtime/Leases.js"
import { EventSignals } from "../storage/EventSignals.js"
import { StorageReader } from "../storage/Storage.js"
import { StorageClock } from "../storage/StorageClock.js"
import { Stretch } from "../Stretch.js"
import * as HintReader from "./HintReader.js"
import * as PendingHints from "./PendingHints.js"

/** Between two readings. */
const moment = "40 millis"

export const make = Effect.gen(function* () {
  const storage = yield* StorageReader
  const signals = yield* EventSignals
  const leases = yield* Leases
  const clock = yield* Effect.clock
  const stretch = yield* Stretch
  const reader: HintReader.Reader = {
    changes: (range) => Effect.zipRight(stretch.breathe(), storage.changes(range)),
    states: (ids) => Effect.zipRight(stretch.breathe(), storage.states(ids))
  }
  const { ahead, disorderMillis } = yield* StorageClock
  const now = () => clock.unsafeCurrentTimeMillis() + ahead()
  const fork = yield* FiberSet.makeRuntime()

  /** A reader and its subscribers. */
  const openWatch = () => {
    const subscribers = new Set<PendingHints.PendingHints>()
    const hints = HintReader.make(reader, leases, { now, disorderMillis })
    const news = new Map<SessionId, HintReader.Gone | null>()
    const hasNews = Effect.unsafeMakeLatch(false)
    let isForeign = false
    let hasBegun = false
    let failure: Cause.Cause<Read> | null = null

    /** Notes news of a session. Its deletion stays noted, whatever comes after it under the same id. */
    const put = (sessionId: SessionId, gone: HintReader.Gone | null) => {
      const before = news.get(sessionId) ?? null
      news.delete(sessionId)
      news.set(sessionId, gone ?? before)
      hasNews.unsafeOpen()
    }
    const end = signals.listenToAll({
      changed: (sessionId) => put(sessionId, null),
      gone: (sessionId, owner) => put(sessionId, { owner, at: now() }),
      unknown: () => {
        isForeign = true
        hasNews.unsafeOpen()
      }
    })

    const read = Effect.gen(function* () {
      hasNews.unsafeClose()
      const taken = new Map(news)
      news.clear()
      const found = isForeign
        ? yield* Effect.zipRight(
            Effect.sync(() => (isForeign = false)),
            hints.elsewhere
          )
        : []
      if (found === null) return subscribers.forEach((one) => one.gap())
      for (const sessionId of found) if (!taken.has(sessionId)) taken.set(sessionId, null)
      const told = taken.size === 0 ? [] : yield* hints.hints(taken)
      const byOwner = new Map<Owner | null, Array<PendingHints.OwnedHint>>()
      for (const one of told) {
        const ofOwner = byOwner.get(one.owner)
        if (ofOwner === undefined) byOwner.set(one.owner, [one])
        else ofOwner.push(one)
      }
      for (const one of subscribers) one.tell(one.owner === undefined ? told : (byOwner.get(one.owner) ?? []))
    })

    const fail = (cause: Cause.Cause<Read>) => {
      failure = cause
      subscribers.forEach((one) => one.fail(cause))
    }

    const run = hints.begin.pipe(
      Effect.tap(() => {
        hasBegun = true
        subscribers.forEach((one) => one.gap())
      }),
      Effect.zipRight(Effect.forever(hasNews.await.pipe(Effect.zipRight(read), Effect.zipRight(Effect.sleep(moment))))),
      Effect.exit,
      Effect.map((exit) => (Exit.isFailure(exit) ? fail(exit.cause) : undefined))
    )

    return {
      fiber: fork(run),
      fail,
      isOver: () => failure !== null,
      join: (one: PendingHints.PendingHints) => {
        subscribers.add(one)
        if (failure !== null) one.fail(failure)
        else if (hasBegun) one.gap()
      },
      /** Returns whether any subscriber is left. */
      leave: (one: PendingHints.PendingHints) => subscribers.delete(one) && subscribers.size > 0,
      close: end
    }
  }

  let open: ReturnType<typeof openWatch> | null = null
  let isClosed = false
  const closed = () => Cause.fail(Closed.failure())
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      open?.fail(closed())
    })
  )

  /** The subscription lasts as long as the scope. */
  const subscribe = ({ owner }: ChangesQuery) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const watch = open === null || open.isOver() ? (open = openWatch()) : open
        const pending = PendingHints.make(owner)
        watch.join(pending)
        if (isClosed) pending.fail(closed())
        return { watch, pending }
      }),
      ({ pending, watch }) =>
        Effect.suspend(() => {
          if (watch.leave(pending)) return Effect.void
          if (open === watch) open = null
          watch.close()
          return Fiber.interrupt(watch.fiber)
        })
    ).pipe(Effect.map(({ pending }) => Stream.repeatEffectChunk(pending.take)))

  return { subscribe }
})
