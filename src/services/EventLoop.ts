/**
 * How work lets timers, sockets and signals in between two of its portions. `Effect.yieldNow` does not do that: it
 * yields to other fibers only. Nor does a sleep of zero length on Node: its timer is due again before the loop goes on.
 * It is still the default where the platform provides nothing better; a test's clock skips it.
 */
import { Context, Effect } from "effect"

/** Returns after a turn of the event loop. */
export type Turn = Effect.Effect<void>

export class EventLoop extends Context.Reference<EventLoop>()("skein/EventLoop", {
  defaultValue: (): { readonly turn: Turn } => ({ turn: Effect.sleep(0) })
}) {}

/** Characters of a text that can be read, written as JSON or hashed within a millisecond or two. */
const short = 512 * 1024

/** A turn after work on a text, or on its bytes, unless it is short. */
export const afterText = (turn: Turn, { length }: string | Uint8Array): Turn => (length > short ? turn : Effect.void)
