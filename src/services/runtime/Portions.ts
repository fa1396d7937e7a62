/**
 * Work on many things in portions, with a turn of the event loop between two portions: however many things there are,
 * of however many runs, nobody else waits for more than one portion.
 */
import { Effect } from "effect"
import type { Service as Stretch } from "../Stretch.js"

/** Calls in a portion, if they are run or interrupted. Each costs some hundred microseconds. */
export const calls = 32

/** Calls in a portion, if they are only looked at. */
export const glances = 4 * calls

/** Parts of a step's stream in a portion. */
export const parts = 512

/** Works on the items one after the other, `portion` of them in a portion. */
export const forEach = <A, B, E, R>(
  items: ReadonlyArray<A>,
  stretch: Stretch,
  portion: number,
  body: (item: A) => Effect.Effect<B, E, R>
): Effect.Effect<ReadonlyArray<B>, E, R> => {
  const doing = stretch.doing(portion)
  return Effect.forEach(items, (item) => doing(body(item)))
}

/** A turn between two pieces of work on `count` calls, unless they are few: then both fit into one portion. */
export const between = (count: number, { turn }: Stretch): Effect.Effect<void> =>
  count > calls / 2 ? turn : Effect.void
