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

/** Where the head goes: over the places after it that have their results, one after the other, up to place `last`. */
export const headAfter = (head: number, last: number, isStored: (seq: Seq) => boolean): number => {
  let passed = head
  while (passed < last && isStored(Place.after(passed))) passed++
  return passed
}

/** A batch as the run that gathers its results knows it. */
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

/** The batch of `size` calls that the message at `opener` asks for, without a result. */
export const make = <A>(opener: Seq, size: number): Batch<A> => ({
  opener,
  size,
  head: opener,
  stored: HashMap.empty()
})

/**
 * Takes the stored result of call `index`. Returns the batch after it and the results that the head has passed with it,
 * in call order. A place that has its result, or is not of this batch, changes nothing.
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

/** A call that will never finish. `pending`: it surely did nothing. `started`: nobody knows how far it came. */
export interface UnfinishedCall extends Pick<CallPart, "callId" | "name"> {
  readonly state: "pending" | "started"
}

/** The result that closes a call that will never finish. Its text tells the model what is known of the call's effects. */
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

/** The result of a call whose own was stored, and is missing now. */
export const lost = ({ callId, name }: Pick<CallPart, "callId" | "name">): ResultMessage => ({
  role: "tool",
  callId,
  name,
  outcome: "interrupted",
  text: "Lost: this call's result is missing from the record. Its effects are unknown: check them before you repeat it."
})
