/** A screen that keeps what is written, and whose person answers when the test lets them. */
import { Deferred, Effect, Layer, Queue, Ref } from "effect"
import * as Ansi from "../../../../../src/adapters/cli/terminal/Ansi.js"
import { Screen } from "../../../../../src/adapters/cli/terminal/Screen.js"

export const make = (options: { readonly canAsk?: boolean } = {}) =>
  Effect.gen(function* () {
    const output = yield* Ref.make("")
    const errors = yield* Ref.make("")
    const prompts = yield* Queue.unbounded<string>()
    const typed = yield* Queue.unbounded<string | null>()
    const withdrawn = yield* Deferred.make<void>()
    const layer = Layer.succeed(Screen, {
      write: (text) => Ref.update(output, (before) => before + text),
      writeError: (text) => Ref.update(errors, (before) => before + text),
      status: () => Effect.void,
      canAsk: options.canAsk ?? false,
      ask: (prompt) =>
        Effect.zipRight(Queue.offer(prompts, prompt), Queue.take(typed)).pipe(
          Effect.onInterrupt(() => Deferred.succeed(withdrawn, undefined))
        ),
      holding: (effect) => effect,
      ansi: Ansi.none
    })
    return {
      layer,
      output: Ref.get(output),
      errors: Ref.get(errors),
      /** Waits for a prompt. */
      prompted: Queue.take(prompts),
      /** Types a line; null ends the input. */
      type: (line: string | null) => Queue.offer(typed, line),
      /** Waits until a prompt was taken back. */
      withdrawn: Deferred.await(withdrawn)
    }
  })
