/**
 * Where the output of `skein run` goes. On a terminal the run is shown on stdout. Elsewhere, and with `--quiet`, stdout
 * has only the answer: one text at the end, or nothing without an answer. Progress then goes to stderr, or nowhere.
 */
import { Effect } from "effect"
import type { Ref } from "../../domain/Run.js"
import * as Run from "../../services/Run.js"
import * as Ansi from "./terminal/Ansi.js"
import { Screen, type Service } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"

export interface Input {
  readonly json: boolean
  readonly quiet: boolean
}

export const isAnswerAlone = ({ json, quiet }: Input, isTerminal: boolean): boolean => !json && (quiet || !isTerminal)

/** The same screen, with stdout left to the answer. */
export const forProgress = (screen: Service, { quiet }: Input): Service => ({
  ...screen,
  ansi: Ansi.none,
  write: (text) => (quiet ? Effect.void : screen.writeError(text)),
  show: (work) => (quiet ? Effect.void : screen.show(work))
})

/** Writes a run's answer. */
export const writeAnswer = Effect.fn("RunOutput.writeAnswer")(function* (ref: Ref) {
  const screen = yield* Screen
  const answer = TerminalText.block(yield* Run.answer(ref))
  if (answer !== "") yield* screen.write(answer.endsWith("\n") ? answer : `${answer}\n`)
})
