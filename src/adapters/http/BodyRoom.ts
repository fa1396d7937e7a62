/**
 * Room for the bodies that are held in memory, in the whole process. A body that finds none waits, unread, until earlier
 * ones are answered: many large messages at the same time take longer, and not more memory than there is. Short bodies
 * do not wait.
 */
import * as HttpApp from "@effect/platform/HttpApp"
import { Context, Effect, type Scope } from "effect"
import { getHeapStatistics } from "node:v8"

/** What is made of a body while it is read, checked and stored is several times as large. */
const share = 8

/** No less than the longest body. */
const least = 16 * 1024 * 1024

/**
 * Room for so many bytes.
 *
 * @internal
 */
export const make = (bytes: number) => ({ bytes, semaphore: Effect.unsafeMakeSemaphore(bytes) })

const ofProcess = make(Math.max(least, Math.floor(getHeapStatistics().heap_size_limit / share)))

/**
 * The room, which all servers of a process share.
 *
 * @internal
 */
export class BodyRoom extends Context.Reference<BodyRoom>()("skein/http/BodyRoom", { defaultValue: () => ofProcess }) {}

/** Waits for room for this many bytes. It is free again once the request has its answer. */
export const take = (wanted: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { bytes, semaphore } = yield* BodyRoom
      const taken = yield* restore(semaphore.take(Math.min(wanted, bytes)))
      let isFree = false
      const free = Effect.suspend(() => {
        if (isFree) return Effect.void
        isFree = true
        return Effect.asVoid(semaphore.release(taken))
      })
      yield* Effect.addFinalizer(() => free)
      // An answer that is a stream may go on for long after the body.
      yield* HttpApp.appendPreResponseHandler((_, response) => Effect.as(free, response))
    })
  )
