/**
 * Live parts of runs that go on in other processes, where those can be asked for them. A process that knows of no other
 * has none. Rows remain what watchers are told of events; a mirror only wakes them.
 */
import { type Clock, Context, Effect, type Fiber } from "effect"
import type * as Live from "../../domain/Live.js"
import type { Cursor, SessionId } from "../../domain/Session.js"

/** What a run's process has told: its live part comes right after the durable event at `cursor`. */
interface Mirrored {
  readonly cursor: Cursor
  /** Null while nothing is told of a run. */
  readonly live: Live.Live | null
}

/** A session's mirror, for one hub. */
interface Follower {
  /** Null while no process tells anything. */
  readonly get: () => Mirrored | null
  /** There are signs of a run elsewhere: has its process asked, unless it tells already or was asked just now. */
  readonly seek: (after: Cursor) => void
  /** Looks, once, whether there is a run elsewhere that nothing else tells of, such as one that waits for a call. */
  readonly look: (after: Cursor) => Effect.Effect<void>
  readonly close: () => void
}

export interface Sources {
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  /** Whether a run holds the session. */
  readonly isHeld: (sessionId: SessionId) => Effect.Effect<boolean>
}

/** A hub's mirror of its session. It is told of each change. */
export type Open = (sessionId: SessionId, changed: () => void) => Follower

const none: Follower = { get: () => null, seek: () => {}, look: () => Effect.void, close: () => {} }

/** How an engine comes by its mirrors. */
export class Mirrors extends Context.Reference<Mirrors>()("skein/Mirrors", {
  defaultValue: (): ((sources: Sources) => Open) => () => () => none
}) {}
