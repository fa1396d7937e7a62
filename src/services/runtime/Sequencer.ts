/**
 * Appends the stored results of a batch to what the run remembers of the transcript, in call order, whatever the order
 * in which they were stored. It takes committed results and decides by the rule that moves the head in storage
 * (`Batch.headAfter`), so the next step's view holds what the transcript holds, and never more.
 */
import { Effect, Ref } from "effect"
import * as Batch from "../../domain/Batch.js"
import type { ResultMessage } from "../../domain/Message.js"
import type { Seq } from "../../domain/Session.js"

interface Sequencer {
  /** Takes the stored result of a call. Returns the results that are appended with it. */
  readonly store: (
    index: number,
    result: ResultMessage
  ) => Effect.Effect<ReadonlyArray<Batch.AppendedResult<ResultMessage>>>
}

/** For the batch of `size` calls opened by the message at `opener`. */
export const make = Effect.fnUntraced(function* (opener: Seq, size: number) {
  const batch = yield* Ref.make(Batch.make<ResultMessage>(opener, size))
  return {
    store: (index, result) =>
      Ref.modify(batch, (before) => {
        const [after, appended] = Batch.store(before, index, result)
        return [appended, after]
      })
  } satisfies Sequencer
})
