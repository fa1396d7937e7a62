/**
 * A stretch: the time since timers, sockets and signals last had their turn of the event loop. All work in an engine
 * shares one stretch, so that work of many kinds and of many runs does not add up: work that finds the stretch over
 * lets others in before it goes on.
 *
 * A stretch is over after some milliseconds, and also when a whole portion of work was done in it. The time is what
 * users feel; the portion holds on any machine.
 */
import { Context, Effect, Layer } from "effect"
import type { InPieces } from "../domain/InPieces.js"
import { EventLoop, type Turn } from "./EventLoop.js"
import * as OneByOne from "./OneByOne.js"

export interface Service {
  /** Notes that work goes on: the stretch begins with the first note after a turn. */
  readonly note: () => void
  /** Whether the stretch has lasted that many milliseconds; by default, so long that others must have their turn. */
  readonly isLong: (millis?: number) => boolean
  /** A turn of the event loop. Fibers that ask at the same time get their turns one after the other. */
  readonly turn: Turn
  /** Returns immediately, or after a turn if the stretch is long. */
  readonly breathe: (millis?: number) => Effect.Effect<void>
  /** The same before a piece of work, `portion` of which make up a portion: no more of them are done in one stretch. */
  readonly oneOf: (portion: number) => Effect.Effect<void>
  /** Does such a piece of work. */
  readonly doing: (portion: number) => <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export class Stretch extends Context.Tag("skein/Stretch")<Stretch, Service>() {}

/** In milliseconds. Work that has begun by then still ends within the stretch. */
const mostMillis = 12

const make = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const { turn } = yield* EventLoop
  const oneByOne = OneByOne.make()
  const working = yield* Effect.makeLatch(false)
  /** `done` is a fraction of a portion. */
  let current: { readonly since: number; done: number } | null = null

  const note = () => {
    if (current !== null) return current
    working.unsafeOpen()
    return (current = { since: clock.unsafeCurrentTimeMillis(), done: 0 })
  }
  const isLong = (millis = mostMillis) => current !== null && clock.unsafeCurrentTimeMillis() - current.since >= millis
  const isOver = () => current !== null && (current.done >= 1 || isLong())

  /** Ends the stretch with a turn, unless another turn has ended it meanwhile. */
  const end = Effect.suspend(() => {
    const ending = current
    return Effect.zipRight(
      turn,
      Effect.sync(() => {
        if (current === ending) current = null
      })
    )
  })

  /** Notices turns that came by themselves. */
  const notice = Effect.zipRight(
    Effect.zipRight(working.await, end),
    Effect.sync(() => {
      if (current === null) working.unsafeClose()
    })
  )
  yield* Effect.forkScoped(Effect.forever(notice))

  /** Whatever waited goes on in a new stretch. */
  const endIf = (isOver: () => boolean) =>
    Effect.zipRight(oneByOne(Effect.suspend(() => (isOver() ? end : Effect.void))), Effect.sync(note))
  const endIfOver = endIf(isOver)

  const doing =
    (portion: number) =>
    <A, E, R>(work: Effect.Effect<A, E, R>) => {
      const spend = () => {
        note().done += 1 / portion
        return work
      }
      return Effect.suspend(() => (isOver() ? Effect.flatMap(endIfOver, spend) : spend()))
    }

  return {
    note,
    isLong,
    turn: Effect.zipRight(oneByOne(end), Effect.sync(note)),
    breathe: (millis) =>
      Effect.suspend(() => {
        note()
        return isLong(millis) ? endIf(() => isLong(millis)) : Effect.void
      }),
    oneOf: (portion) => doing(portion)(Effect.void),
    doing
  } satisfies Service
})

/** Does work with `next` between two of its pieces, such as `oneOf`. */
export const inPieces = <A>(work: InPieces<A>, next: Effect.Effect<void>): Effect.Effect<A> =>
  Effect.suspend(() => {
    const step = work.next()
    return step.done === true ? Effect.succeed(step.value) : Effect.zipRight(next, inPieces(work, next))
  })

/** One stretch for everything that is built with this layer. */
export const layer: Layer.Layer<Stretch> = Layer.scoped(Stretch, make)
