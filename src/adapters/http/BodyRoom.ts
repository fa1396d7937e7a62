/**
 * Room for the bodies that are held in memory, in the whole process. A body that finds none waits, unread, until earlier
 * ones are answered: many large messages at the same time take longer, and not more memory than there is. Short bodies
 * do not wait. The others have room in the order in which they came, so that a large one has its turn, too.
 */
import * as HttpApp from "@effect/platform/HttpApp"
import { Context, Deferred, Effect, FiberId, type Scope } from "effect"
import { getHeapStatistics } from "node:v8"

/** What is made of a body while it is read, checked and stored is several times as large. */
const share = 8

/** No less than the longest body. */
const least = 16 * 1024 * 1024

/** A body, in line or in the room. */
interface Place {
  readonly bytes: number
  readonly entered: Deferred.Deferred<void>
}

/**
 * Room for so many bytes. A semaphore would let small bodies pass a large one again and again.
 *
 * @internal
 */
export const make = (bytes: number) => {
  const waiting = new Set<Place>()
  const inside = new Set<Place>()
  let free = bytes

  const letIn = () => {
    for (const place of waiting) {
      if (place.bytes > free) return
      waiting.delete(place)
      inside.add(place)
      free -= place.bytes
      Deferred.unsafeDone(place.entered, Effect.void)
    }
  }

  const leave = (place: Place) => {
    waiting.delete(place)
    if (inside.delete(place)) free += place.bytes
    letIn()
  }

  return {
    /** Takes a place in the line, even for a body that is larger than the room. */
    join: (wanted: number): Place => {
      const place = { bytes: Math.min(wanted, bytes), entered: Deferred.unsafeMake<void>(FiberId.none) }
      waiting.add(place)
      letIn()
      return place
    },
    leave,
    isEmpty: () => waiting.size === 0 && free === bytes
  }
}

const ofProcess = make(Math.max(least, Math.floor(getHeapStatistics().heap_size_limit / share)))

/**
 * The room, which all servers of a process share.
 *
 * @internal
 */
export class BodyRoom extends Context.Reference<BodyRoom>()("skein/http/BodyRoom", { defaultValue: () => ofProcess }) {}

/** Waits for room for this many bytes. It is free again once the request has its answer. */
export const take = (wanted: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { join, leave } = yield* BodyRoom
    const place = yield* Effect.acquireRelease(
      Effect.sync(() => join(wanted)),
      (place) => Effect.sync(() => leave(place))
    )
    yield* Deferred.await(place.entered)
    // An answer that is a stream may go on for long after the body.
    yield* HttpApp.appendPreResponseHandler((_, response) =>
      Effect.as(
        Effect.sync(() => leave(place)),
        response
      )
    )
  })
