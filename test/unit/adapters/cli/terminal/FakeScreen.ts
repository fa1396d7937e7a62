/** A screen that records what is written; the person answers when the test says so. */
import { Deferred, Effect, Layer, Queue, Ref } from "effect"
import * as Ansi from "../../../../../src/adapters/cli/terminal/Ansi.js"
import * as Bottom from "../../../../../src/adapters/cli/terminal/Bottom.js"
import { Screen } from "../../../../../src/adapters/cli/terminal/Screen.js"

export const make = (options: { readonly canAsk?: boolean } = {}) =>
  Effect.gen(function* () {
    const output = yield* Ref.make("")
    const errors = yield* Ref.make("")
    const prompts = yield* Queue.unbounded<string>()
    const typed = yield* Queue.unbounded<string | null>()
    const withdrawn = yield* Deferred.make<void>()
    const print = (text: string) => Ref.update(errors, (before) => before + text)
    const layer = Layer.succeed(Screen, {
      write: (text) => Ref.update(output, (before) => before + text),
      writeError: print,
      log: (lines) => Effect.runSync(print(lines)),
      columns: Effect.succeed(80),
      hasBottom: false,
      live: (effect) => effect,
      show: () => Effect.void,
      canAsk: options.canAsk ?? false,
      ask: ({ prompt, subject }, read) =>
        Effect.gen(function* () {
          if (subject !== null) yield* print(`${Bottom.subjectRows(subject, { columns: 80, rows: 24 }).join("\n")}\n`)
          while (true) {
            yield* Queue.offer(prompts, prompt)
            const answer = read(yield* Queue.take(typed))
            if (answer !== null) return answer
          }
        }).pipe(Effect.onInterrupt(() => Deferred.succeed(withdrawn, undefined))),
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
      /** Waits until a question is withdrawn. */
      withdrawn: Deferred.await(withdrawn)
    }
  })
