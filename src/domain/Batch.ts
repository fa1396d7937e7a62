/**
 * The sequencer's rule: calls finish in any order, their results are released in the order of the calls.
 *
 * A batch has one place a call. Completing a place releases the contiguous run of results that may now be written; it
 * begins where the run before it ended. The first completion of a place wins. What of it is durable is not known here.
 */
import { HashMap, Option } from "effect"
import type { CallPart, ResultMessage } from "./Message.js"
import { Seq } from "./Session.js"

export interface Batch<A> {
  /** The place in the transcript of the message that asks for the calls; place `index` follows it by `index + 1`. */
  readonly opener: Seq
  readonly size: number
  /** How many results were released: the places below it are settled. */
  readonly released: number
  /** Results of later places, by index. */
  readonly waiting: HashMap.HashMap<number, A>
}

export interface Released<A> {
  readonly index: number
  readonly seq: Seq
  readonly result: A
}

/** The batch of `size` calls that the message at `opener` asks for, none of them completed. */
export const make = <A>(opener: Seq, size: number): Batch<A> => ({
  opener,
  size,
  released: 0,
  waiting: HashMap.empty()
})

/** The place in the transcript that is set aside for the result of call `index`. */
export const seqOf = (opener: Seq, index: number): Seq => Seq.make(opener + 1 + index)

const isOpen = <A>(batch: Batch<A>, index: number): boolean =>
  Number.isInteger(index) && index >= batch.released && index < batch.size && !HashMap.has(batch.waiting, index)

/**
 * Completes place `index`. Gives the new batch and the results that may now be written, in order of their places. When
 * the place was completed before, or the batch has no such place, nothing changes and nothing is released.
 */
export const complete = <A>(
  batch: Batch<A>,
  index: number,
  result: A
): readonly [Batch<A>, ReadonlyArray<Released<A>>] => {
  if (!isOpen(batch, index)) return [batch, []]
  if (index > batch.released) return [{ ...batch, waiting: HashMap.set(batch.waiting, index, result) }, []]
  const run: Array<Released<A>> = [{ index, seq: seqOf(batch.opener, index), result }]
  let waiting = batch.waiting
  let next = index + 1
  for (let found = HashMap.get(waiting, next); Option.isSome(found); found = HashMap.get(waiting, next)) {
    run.push({ index: next, seq: seqOf(batch.opener, next), result: found.value })
    waiting = HashMap.remove(waiting, next)
    next++
  }
  return [{ ...batch, released: next, waiting }, run]
}

/** Whether every place is completed; its results have then all been released. */
export const isSettled = <A>(batch: Batch<A>): boolean => batch.released === batch.size

/** A call that will never finish. `pending`: it surely did nothing. `started`: nobody knows how far it came. */
export interface Unfinished extends Pick<CallPart, "callId" | "name"> {
  readonly state: "pending" | "started"
}

/** The result that closes a call that will never finish. Its text tells the model what is known of the call's effects. */
export const closing = ({ callId, name, state }: Unfinished): ResultMessage =>
  state === "started"
    ? {
        role: "tool",
        callId,
        name,
        outcome: "interrupted",
        text: "Interrupted: this call had started and did not finish. Its effects are unknown: check them before you repeat it."
      }
    : {
        role: "tool",
        callId,
        name,
        outcome: "never-started",
        text: "Never started: this call was not run and had no effect."
      }
