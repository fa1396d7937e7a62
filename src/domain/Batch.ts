/**
 * The batch's rule: calls finish in any order, their results are appended to the transcript in the order of the calls.
 *
 * A batch sets one place aside for each call. A result is stored in its place when its call ends; the head passes it once
 * every earlier place has its result too. The first result of a place wins.
 */
import { HashMap, Option } from "effect"
import type { CallPart, ResultMessage } from "./Message.js"
import * as Place from "./Place.js"
import type { Seq } from "./Session.js"

/** The place that is set aside for the result of call `index` of the message at `opener`. */
export const seqOf = (opener: Seq, index: number): Seq => Place.after(opener + index)

/** Returns the head after it passes all places that follow it without a gap and have results, up to place `last`. */
export const headAfter = (head: number, last: number, isStored: (seq: Seq) => boolean): number => {
  let passed = head
  while (passed < last && isStored(Place.after(passed))) passed++
  return passed
}

/** A batch as seen by the run that collects its results. */
export interface Batch<A> {
  /** The place of the message that asks for the calls. */
  readonly opener: Seq
  readonly size: number
  /** The place up to which results have been appended. */
  readonly head: number
  /** Results of later places, by place. */
  readonly stored: HashMap.HashMap<Seq, A>
}

/** A result at its place in the transcript. */
export interface AppendedResult<A> {
  readonly seq: Seq
  readonly result: A
}

/** Returns the batch of `size` calls that the message at `opener` asks for, with no results yet. */
export const make = <A>(opener: Seq, size: number): Batch<A> => ({
  opener,
  size,
  head: opener,
  stored: HashMap.empty()
})

/**
 * Takes the stored result of call `index`. Returns the batch after it and the results that the head has passed with it,
 * in call order. A result for a place that already has one, or that is not in this batch, changes nothing.
 */
export const store = <A>(
  batch: Batch<A>,
  index: number,
  result: A
): readonly [batch: Batch<A>, appended: ReadonlyArray<AppendedResult<A>>] => {
  if (!Number.isInteger(index) || index < 0 || index >= batch.size) return [batch, []]
  const seq = seqOf(batch.opener, index)
  if (seq <= batch.head || HashMap.has(batch.stored, seq)) return [batch, []]
  let stored = HashMap.set(batch.stored, seq, result)
  const head = headAfter(batch.head, batch.opener + batch.size, (place) => HashMap.has(stored, place))
  const appended: Array<AppendedResult<A>> = []
  for (let place = batch.head; place < head; place++) {
    const passed = Place.after(place)
    const found = HashMap.get(stored, passed)
    if (Option.isSome(found)) appended.push({ seq: passed, result: found.value })
    stored = HashMap.remove(stored, passed)
  }
  return [{ ...batch, head, stored }, appended]
}

/** A call that will never finish. `pending`: it certainly had no effect. `started`: how far it got is unknown. */
export interface UnfinishedCall extends Pick<CallPart, "callId" | "name"> {
  readonly state: "pending" | "started"
}

/** Returns the result that closes an unfinished call. Its text tells the model what is known about its effects. */
export const closing = ({ callId, name, state }: UnfinishedCall): ResultMessage =>
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

/** Returns the result that stands in for a call's stored result which is now missing. */
export const lost = ({ callId, name }: Pick<CallPart, "callId" | "name">): ResultMessage => ({
  role: "tool",
  callId,
  name,
  outcome: "interrupted",
  text: "Lost: this call's result is missing from the record. Its effects are unknown: check them before you repeat it."
})
