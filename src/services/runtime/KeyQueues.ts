/**
 * Queues by key, in which the first `width` may go. A place is taken in call order; a place is no lock: who waits for a
 * human keeps its place, later calls of that key wait behind it, all other keys go on. A call that was given up keeps
 * its place while it still runs. A queue is gone when its last place is left.
 */
import { Deferred, Effect, FiberId } from "effect"

export interface QueueSlot {
  /** Returns when the place is among the first `width`. */
  readonly admitted: Effect.Effect<void>
  /** Leaves, from wherever in the queue; again does nothing. */
  readonly leave: () => void
}

export interface KeyQueues {
  readonly take: (key: string) => QueueSlot
  /** Keys with a queue now. */
  readonly size: () => number
}

/** A place that never waits. */
export const free: QueueSlot = { admitted: Effect.void, leave: () => undefined }

export const make = (width: number): KeyQueues => {
  const queues = new Map<string, Array<Deferred.Deferred<void>>>()
  const admit = (queue: ReadonlyArray<Deferred.Deferred<void>>): void =>
    queue.slice(0, width).forEach((place) => Deferred.unsafeDone(place, Effect.void))
  return {
    take: (key) => {
      const mine = Deferred.unsafeMake<void>(FiberId.none)
      const queue = queues.get(key) ?? []
      queues.set(key, queue)
      queue.push(mine)
      admit(queue)
      return {
        admitted: Deferred.await(mine),
        leave: () => {
          const place = queue.indexOf(mine)
          if (place === -1) return
          queue.splice(place, 1)
          if (queue.length === 0) queues.delete(key)
          else admit(queue)
        }
      }
    },
    size: () => queues.size
  }
}
