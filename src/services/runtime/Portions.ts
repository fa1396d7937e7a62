/**
 * Work on many things in portions, with a turn of the event loop between two of them: however many there are, nobody else
 * waits for more than one portion.
 */
import { Effect } from "effect"
import type { Turn } from "../EventLoop.js"

/** Calls of a portion. What each costs is some hundred microseconds. */
const calls = 32

/** Parts of a step's stream of a portion. */
export const parts = 512

/** One after the other. */
export const forEach = <A, B, E, R>(
  items: ReadonlyArray<A>,
  turn: Turn,
  body: (item: A) => Effect.Effect<B, E, R>
): Effect.Effect<ReadonlyArray<B>, E, R> =>
  Effect.forEach(items, (item, index) =>
    index > 0 && index % calls === 0 ? Effect.zipRight(turn, body(item)) : body(item)
  )

/** A turn between two works on so many things, unless they are few. */
export const between = (count: number, turn: Turn): Effect.Effect<void> => (count > calls ? turn : Effect.void)

/** Turns of which each has the event loop for itself: many works take them one after the other, not all in one. */
export const oneByOne = (turn: Turn): Effect.Effect<Turn> =>
  Effect.map(Effect.makeSemaphore(1), (permit) => permit.withPermits(1)(turn))
