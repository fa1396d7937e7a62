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

/** Characters of a text that are read, written as JSON or hashed within a millisecond or two. */
const short = 512 * 1024

/** A turn after work on a text, unless it is short. */
export const afterText = (turn: Turn, { length }: string): Turn => (length > short ? turn : Effect.void)
