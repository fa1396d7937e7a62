/**
 * How work lets timers, sockets and signals in between two of its portions. Neither `Effect.yieldNow` does that, which
 * gives way to other fibers only, nor on Node a sleep of no length: its timer is due again before the loop goes on.
 * Without a way of the platform's own it is such a sleep all the same, which a test's clock skips.
 */
import { Context, Effect } from "effect"

/** Returns after a turn of the event loop. */
export type Turn = Effect.Effect<void>

export class EventLoop extends Context.Reference<EventLoop>()("skein/EventLoop", {
  defaultValue: (): { readonly turn: Turn } => ({ turn: Effect.sleep(0) })
}) {}
