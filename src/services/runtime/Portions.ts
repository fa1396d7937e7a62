/**
 * Work on many things in portions, with a turn of the event loop between two of them: however many there are, nobody else
 * waits for more than one portion.
 */
import { Array as Arr, Effect } from "effect"
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

/**
 * All at once, but for that each portion begins after another turn. They wait for it in one flat `Effect.all`: another one
 * inside it, interrupted before its inner fiber has started, would wait for ever.
 */
export const all = <A, E, R>(
  effects: ReadonlyArray<Effect.Effect<A, E, R>>,
  turn: Turn
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.gen(function* () {
    const [first = [], ...others] = Arr.chunksOf(effects, calls)
    const later = others.map((portion) => ({ portion, begin: Effect.unsafeMakeLatch(false) }))
    const beginAll = Effect.forEach(later, ({ begin }) => Effect.zipRight(turn, begin.open), { discard: true })
    if (later.length > 0) yield* Effect.fork(beginAll)
    const waiting = later.flatMap(({ begin, portion }) => portion.map((effect) => Effect.zipRight(begin.await, effect)))
    return yield* Effect.all([...first, ...waiting], { concurrency: "unbounded" })
  })
