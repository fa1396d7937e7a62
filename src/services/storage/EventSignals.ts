/**
 * Wakes the watchers of a session. A signal carries nothing: it says that there may be something new to read, so a
 * watcher that does not keep up costs one flag, never a queue, and loses nothing. Only the signal for a session that is
 * gone, about which nothing can be read any more, says whose session it was.
 *
 * No wake-up is lost: a signal that comes while a watcher reads makes its next wait return immediately. Signalling
 * never waits. Watch a session before reading it, and read again after each wake-up.
 */
import { Context, Deferred, Effect, FiberId, Layer } from "effect"
import type { Scope } from "effect"
import type { Owner, SessionId } from "../../domain/Session.js"
import * as Listeners from "../Listeners.js"

interface Watch {
  /** Returns once the session has been signalled since the last return, or since the watch began. */
  readonly next: Effect.Effect<void>
}

/** A listener to all sessions. Called back before the signal returns. */
export interface SessionsListener {
  readonly changed: (sessionId: SessionId) => void
  readonly gone: (sessionId: SessionId, owner: Owner | null) => void
  /** Something changed, and nobody knows where. */
  readonly unknown: () => void
}

/** Wakes the watchers of sessions in this process. */
export interface Service {
  /** Wakes the watchers of a session. */
  readonly signal: (sessionId: SessionId) => void
  /** Wakes the watchers of a session that can no longer be found. */
  readonly signalGone: (sessionId: SessionId, owner: Owner | null) => void
  /** Wakes every watcher: something changed, and nobody knows where. */
  readonly signalAll: () => void
  /** Makes engines check for requests to stop their runs. */
  readonly signalStopRequests: () => void
  readonly watchStopRequests: Effect.Effect<Watch, never, Scope.Scope>
  readonly watch: (sessionId: SessionId) => Effect.Effect<Watch, never, Scope.Scope>
  /** Calls `listener` at each signal of a session, before `signal` returns. Returns a function that ends this. */
  readonly listen: (sessionId: SessionId, listener: () => void) => () => void
  /** The same for all sessions. */
  readonly listenToAll: (listener: SessionsListener) => () => void
  /** Waits until anybody watches anything. */
  readonly whenWatched: Effect.Effect<void>
  /** The number of sessions that are watched now. */
  readonly watched: Effect.Effect<number>
}

/** The signals of a process, as a service. */
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
    // A watcher that is interrupted after it was woken has not seen the signal.
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
  const listeners = Listeners.make<SessionId | typeof stopRequests>()
  const ofAll = new Set<SessionsListener>()

  const closeIfUnwatched = (): void => {
    if (listeners.size() === 0 && ofAll.size === 0) anybody.unsafeClose()
  }

  const listen = (what: SessionId | typeof stopRequests, listener: () => void): (() => void) => {
    const end = listeners.add(what, listener)
    anybody.unsafeOpen()
    return () => {
      end()
      closeIfUnwatched()
    }
  }

  const watch = (what: SessionId | typeof stopRequests) =>
    Effect.suspend(() => {
      const watcher: Watcher = { signalled: false, waiting: null }
      return Effect.acquireRelease(
        Effect.sync(() => listen(what, () => wake(watcher))),
        (end) => Effect.sync(end)
      ).pipe(Effect.as(waitOf(watcher)))
    })

  return {
    signal: (sessionId) => {
      listeners.call(sessionId)
      for (const { changed } of ofAll) changed(sessionId)
    },
    signalGone: (sessionId, owner) => {
      listeners.call(sessionId)
      for (const { gone } of ofAll) gone(sessionId, owner)
    },
    signalAll: () => {
      listeners.callAll()
      for (const { unknown } of ofAll) unknown()
    },
    signalStopRequests: () => listeners.call(stopRequests),
    watchStopRequests: watch(stopRequests),
    watch,
    listen,
    listenToAll: (listener) => {
      const own = { ...listener }
      ofAll.add(own)
      anybody.unsafeOpen()
      return () => {
        ofAll.delete(own)
        closeIfUnwatched()
      }
    },
    whenWatched: anybody.await,
    watched: Effect.sync(() => listeners.size() - (listeners.has(stopRequests) ? 1 : 0))
  }
})

/** Signals within one process. */
export const layer: Layer.Layer<EventSignals> = Layer.effect(EventSignals, make)
