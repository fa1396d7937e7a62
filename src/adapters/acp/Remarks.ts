/**
 * What the people of an editor should know besides the conversation, such as that one of its servers cannot be used. It is said
 * in the conversation, since editors show nobody what an agent logs: each thing once, while one of the editor's prompts is
 * answered. What comes up between prompts waits for the next one.
 */
import { Effect } from "effect"

/** Says something that is about `subject`; nothing more is said about it after that. */
export type Say = (subject: string, text: string) => Effect.Effect<void>

export interface Remarks {
  readonly say: Say
  /** Answers a prompt. */
  readonly during: <A, E, R>(answer: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** The remarks of one session. */
export const make = (tell: (text: string) => Effect.Effect<void>): Remarks => {
  const said = new Set<string>()
  let waiting: ReadonlyArray<string> = []
  let prompts = 0

  const say: Say = (subject, text) =>
    Effect.suspend(() => {
      if (said.has(subject)) return Effect.void
      said.add(subject)
      if (prompts > 0) return tell(text)
      waiting = [...waiting, text]
      return Effect.void
    })

  const begin = Effect.suspend(() => {
    prompts++
    const now = waiting
    waiting = []
    return Effect.forEach(now, tell, { discard: true })
  })

  return {
    say,
    during: (answer) =>
      Effect.acquireUseRelease(
        begin,
        () => answer,
        () => Effect.sync(() => prompts--)
      )
  }
}
