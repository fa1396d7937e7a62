/**
 * Wakes the watchers of a session. A signal carries nothing: it says that there may be something new to read, so a
 * watcher that does not keep up costs one flag, never a queue, and loses nothing.
 *
 * No wake-up is lost: a signal that comes while a watcher reads makes its next wait return at once. Signalling never
 * waits. Watch a session before reading it, and read again after each wake-up.
 */
import { Context, Deferred, Effect, FiberId, Layer } from "effect"
import type { Scope } from "effect"
import type { SessionId } from "../../domain/Session.js"

interface Watch {
  /** Returns once the session was signalled since the last return, or since the watch began. */
  readonly next: Effect.Effect<void>
}

export interface Service {
  /** Wakes the watchers of a session. */
  readonly signal: (sessionId: SessionId) => void
  /** Wakes every watcher: something changed, and nobody knows where. */
  readonly signalAll: () => void
  /** Wakes the engines' look at requests to stop their runs. */
  readonly signalStopRequests: () => void
  readonly watchStopRequests: Effect.Effect<Watch, never, Scope.Scope>
  readonly watch: (sessionId: SessionId) => Effect.Effect<Watch, never, Scope.Scope>
  /**
   * Raised by each signal for a session that is watched: what was read under the same number saw all that was signalled.
   */
  readonly version: (sessionId: SessionId) => number
  /** Returns while anybody watches anything; waits while nobody does. */
  readonly whenWatched: Effect.Effect<void>
  /** Sessions that are watched now. */
  readonly watched: Effect.Effect<number>
}

export class EventSignals extends Context.Tag("skein/EventSignals")<EventSignals, Service>() {}

interface Watcher {
  signalled: boolean
  waiting: Deferred.Deferred<void> | null
}

const wake = (watcher: Watcher): void => {
  watcher.signalled = true
  if (watcher.waiting !== null) Deferred.unsafeDone(watcher.waiting, Effect.void)
}

/** The wait of one watcher. */
const waitOf = (watcher: Watcher): Watch => ({
  next: Effect.suspend(() => {
    if (watcher.signalled) {
      watcher.signalled = false
      return Effect.void
    }
    const waiting = Deferred.unsafeMake<void>(FiberId.none)
    watcher.waiting = waiting
    // A watcher that is interrupted when it was woken has not seen the signal.
    return Deferred.await(waiting).pipe(
      Effect.map(() => {
        watcher.signalled = false
      }),
      Effect.ensuring(
        Effect.sync(() => {
          watcher.waiting = null
        })
      )
    )
  })
})

/** The key under which engines that hold runs wait. */
const stopRequests = Symbol("stopRequests")

const make = Effect.map(Effect.makeLatch(false), (anybody): Service => {
  const all = new Map<SessionId | typeof stopRequests, Set<Watcher>>()
  const versions = new Map<SessionId, number>()
  let common = 0

  const begin = (what: SessionId | typeof stopRequests): Watcher => {
    const watcher: Watcher = { signalled: false, waiting: null }
    const watchers = all.get(what) ?? new Set()
    all.set(what, watchers.add(watcher))
    anybody.unsafeOpen()
    return watcher
  }

  const end = (what: SessionId | typeof stopRequests, watcher: Watcher): void => {
    const watchers = all.get(what)
    watchers?.delete(watcher)
    if (watchers?.size === 0) {
      all.delete(what)
      if (what !== stopRequests) versions.delete(what)
    }
    if (all.size === 0) anybody.unsafeClose()
  }

  const watch = (what: SessionId | typeof stopRequests) =>
    Effect.acquireRelease(
      Effect.sync(() => begin(what)),
      (watcher) => Effect.sync(() => end(what, watcher))
    ).pipe(Effect.map(waitOf))

  return {
    signal: (sessionId) => {
      const watchers = all.get(sessionId)
      if (watchers === undefined) return
      versions.set(sessionId, (versions.get(sessionId) ?? 0) + 1)
      watchers.forEach(wake)
    },
    signalAll: () => {
      common++
      all.forEach((watchers) => watchers.forEach(wake))
    },
    version: (sessionId) => common + (versions.get(sessionId) ?? 0),
    signalStopRequests: () => all.get(stopRequests)?.forEach(wake),
    watchStopRequests: watch(stopRequests),
    watch,
    whenWatched: anybody.await,
    watched: Effect.sync(() => all.size - (all.has(stopRequests) ? 1 : 0))
  }
})

export const layer: Layer.Layer<EventSignals> = Layer.effect(EventSignals, make)
