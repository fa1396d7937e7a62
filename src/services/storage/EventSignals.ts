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
import * as Listeners from "../Listeners.js"

interface Watch {
  /** Returns once the session was signalled since the last return, or since the watch began. */
  readonly next: Effect.Effect<void>
}

/** Wakes those who watch sessions in this process. */
export interface Service {
  /** Wakes the watchers of a session. */
  readonly signal: (sessionId: SessionId) => void
  /** Wakes every watcher: something changed, and nobody knows where. */
  readonly signalAll: () => void
  /** Wakes the engines' look at requests to stop their runs. */
  readonly signalStopRequests: () => void
  readonly watchStopRequests: Effect.Effect<Watch, never, Scope.Scope>
  readonly watch: (sessionId: SessionId) => Effect.Effect<Watch, never, Scope.Scope>
  /** Calls back at each signal of a session, before `signal` returns. Returns how that is ended. */
  readonly listen: (sessionId: SessionId, listener: () => void) => () => void
  /** Returns while anybody watches anything; waits while nobody does. */
  readonly whenWatched: Effect.Effect<void>
  /** Sessions that are watched now. */
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
  const listeners = Listeners.make<SessionId | typeof stopRequests>()

  const listen = (what: SessionId | typeof stopRequests, listener: () => void): (() => void) => {
    const end = listeners.add(what, listener)
    anybody.unsafeOpen()
    return () => {
      end()
      if (listeners.size() === 0) anybody.unsafeClose()
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
    signal: listeners.call,
    signalAll: listeners.callAll,
    signalStopRequests: () => listeners.call(stopRequests),
    watchStopRequests: watch(stopRequests),
    watch,
    listen,
    whenWatched: anybody.await,
    watched: Effect.sync(() => listeners.size() - (listeners.has(stopRequests) ? 1 : 0))
  }
})

/** Signals within one process. */
export const layer: Layer.Layer<EventSignals> = Layer.effect(EventSignals, make)
