/**
 * Work on many things in portions, with a turn of the event loop between two of them: however many there are, and of
 * however many runs, nobody else waits for more than one portion.
 */
import { Effect } from "effect"
import type { Service as Stretch } from "../Stretch.js"

/** Calls of a portion that are run or interrupted. What each costs is some hundred microseconds. */
export const calls = 32

/** Calls of a portion that are only looked at. */
export const glances = 4 * calls

/** Parts of a step's stream of a portion. */
export const parts = 512

/** One after the other, so many a portion. */
export const forEach = <A, B, E, R>(
  items: ReadonlyArray<A>,
  stretch: Stretch,
  portion: number,
  body: (item: A) => Effect.Effect<B, E, R>
): Effect.Effect<ReadonlyArray<B>, E, R> => {
  const doing = stretch.doing(portion)
  return Effect.forEach(items, (item) => doing(body(item)))
}

/** A turn between two works on so many calls, unless they are few: then both are less than a portion. */
export const between = (count: number, { turn }: Stretch): Effect.Effect<void> =>
  count > calls / 2 ? turn : Effect.void
