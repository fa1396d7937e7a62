/**
 * How long work lets timers, sockets and signals in between two of its portions. `Effect.yieldNow` does not: it gives
 * way to other fibers only. Without an adapter's own way it is a sleep of no length, which a test's clock skips.
 */
import { Context, Effect } from "effect"

export interface Service {
  /** Returns after a turn of the event loop. */
  readonly turn: Effect.Effect<void>
}

export class EventLoop extends Context.Reference<EventLoop>()("skein/EventLoop", {
  defaultValue: (): Service => ({ turn: Effect.sleep(0) })
}) {}
