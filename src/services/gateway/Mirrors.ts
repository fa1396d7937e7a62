/**
 * Live parts of runs that go on in other processes, where these processes can be asked for them. A process that knows
 * of no others has no mirrors. Watchers still get events from rows; a mirror only wakes them.
 */
import { type Clock, Context, Effect, type Fiber } from "effect"
import type * as Live from "../../domain/Live.js"
import type { Cursor, SessionId } from "../../domain/Session.js"

/** What a run's process has told: its live part comes right after the durable event at `cursor`. */
interface Mirrored {
  readonly cursor: Cursor
  /** Null while nothing is told about a run. */
  readonly live: Live.Live | null
}

/** A session's mirror, for one hub. */
interface Follower {
  /** Returns null while no process tells anything. */
  readonly get: () => Mirrored | null
  /** Called on signs of a run elsewhere: asks the run's process, unless it tells already or was asked just now. */
  readonly seek: (after: Cursor) => void
  /** Checks once whether there is a run elsewhere that nothing else shows, such as a run that waits for a call. */
  readonly look: (after: Cursor) => Effect.Effect<void>
  readonly close: () => void
}

export interface Sources {
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  /** Whether a run holds the session. */
  readonly isHeld: (sessionId: SessionId) => Effect.Effect<boolean>
}

/** Opens a hub's mirror of its session. `changed` is called on each change. */
export type Open = (sessionId: SessionId, changed: () => void) => Follower

const none: Follower = { get: () => null, seek: () => {}, look: () => Effect.void, close: () => {} }

/** How an engine gets its mirrors. */
export class Mirrors extends Context.Reference<Mirrors>()("skein/Mirrors", {
  defaultValue: (): ((sources: Sources) => Open) => () => () => none
}) {}
