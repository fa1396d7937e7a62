/**
 * Gathers the stored results of a batch, in whatever order they were stored, and releases them in call order. It holds
 * what this run's own memory of the transcript grows by; what is durable, and how far the head is, Storage decides.
 */
import { Effect, Ref } from "effect"
import * as Batch from "../../domain/Batch.js"
import type { ResultMessage } from "../../domain/Message.js"
import type { Seq } from "../../domain/Session.js"

interface Sequencer {
  /** Takes the stored result of a call; gives the results that are now contiguous. */
  readonly settle: (index: number, result: ResultMessage) => Effect.Effect<ReadonlyArray<Batch.Released<ResultMessage>>>
}

/** For the batch of `size` calls opened by the message at `opener`. */
export const make = Effect.fnUntraced(function* (opener: Seq, size: number) {
  const batch = yield* Ref.make(Batch.make<ResultMessage>(opener, size))
  return {
    settle: (index, result) =>
      Ref.modify(batch, (before) => {
        const [after, released] = Batch.complete(before, index, result)
        return [released, after]
      })
  } satisfies Sequencer
})
