/**
 * Queues by key, in which the first `width` slots are admitted. Slots are taken in order. A slot is not a lock: it
 * keeps its place even if it is not used yet, later slots of its key wait behind it, and all other keys go on. A queue
 * is gone when its last slot is left.
 *
 * When a slot was given up, its work goes on although nobody waits for it. The slot keeps its place until the work is
 * done, which may be never. The slots behind it can see that.
 */
import { Deferred, Effect, FiberId } from "effect"

export interface QueueSlot {
  /** Whether the slot is among the first `width`. */
  readonly isAdmitted: () => boolean
  /** Returns once it is. */
  readonly admitted: Effect.Effect<void>
  /** Leaves the queue, from any position. Calling it again does nothing. */
  readonly leave: () => void
  /** Notes that the work of this slot goes on, but nobody waits for it any more. */
  readonly giveUp: () => void
  /** Whether a slot that was given up is ahead of this one. */
  readonly isBlocked: () => boolean
}

export interface KeyQueues {
  readonly take: (key: string) => QueueSlot
  /** Runs an effect while it is among the first of `key`. Waiting for that can be interrupted. */
  readonly hold: (key: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Keys with a queue now. */
  readonly size: () => number
}

interface QueueEntry {
  /** Made only for a slot that has to wait: most are admitted immediately. */
  admitted: Deferred.Deferred<void> | null
  isAdmitted: boolean
  isGivenUp: boolean
}

/** A slot that never waits. */
export const free: QueueSlot = {
  isAdmitted: () => true,
  admitted: Effect.void,
  leave: () => undefined,
  giveUp: () => undefined,
  isBlocked: () => false
}

export const make = (width: number): KeyQueues => {
  const queues = new Map<string, Array<QueueEntry>>()
  const admit = (queue: ReadonlyArray<QueueEntry>): void =>
    queue.slice(0, width).forEach((entry) => {
      entry.isAdmitted = true
      if (entry.admitted !== null) Deferred.unsafeDone(entry.admitted, Effect.void)
    })
  const take = (key: string): QueueSlot => {
    const mine: QueueEntry = { admitted: null, isAdmitted: false, isGivenUp: false }
    const queue = queues.get(key) ?? []
    queues.set(key, queue)
    queue.push(mine)
    admit(queue)
    return {
      isAdmitted: () => mine.isAdmitted,
      admitted: Effect.suspend(() =>
        mine.isAdmitted ? Effect.void : Deferred.await((mine.admitted ??= Deferred.unsafeMake(FiberId.none)))
      ),
      leave: () => {
        const index = queue.indexOf(mine)
        if (index === -1) return
        queue.splice(index, 1)
        if (queue.length === 0) queues.delete(key)
        else admit(queue)
      },
      giveUp: () => void (mine.isGivenUp = true),
      isBlocked: () => queue.slice(0, queue.indexOf(mine)).some(({ isGivenUp }) => isGivenUp)
    }
  }
  return {
    take,
    hold: (key) => (effect) =>
      Effect.uninterruptibleMask((restore) => {
        const slot = take(key)
        const held = slot.isAdmitted() ? effect : Effect.zipRight(slot.admitted, effect)
        return Effect.matchCauseEffect(restore(held), {
          onFailure: (cause) => {
            slot.leave()
            return Effect.failCause(cause)
          },
          onSuccess: (value) => {
            slot.leave()
            return Effect.succeed(value)
          }
        })
      }),
    size: () => queues.size
  }
}
