/** What is shown while a run is followed. Names are made harmless by the caller. */
import { counted } from "../../../domain/Amounts.js"

export const waitingForModel = "waiting for the model"

export const waitingForTurn = "waiting for its turn"

export const thinking = "thinking"

export const writingCall = (tool: string): string => `writing a call to ${tool}`

export const answeringAgain = "answering again"

export const callsWaiting = (count: number): string => `${count} ${count === 1 ? "call" : "calls"} waiting`

export const retrying = (reason: string, attempt: number, wait: string): string =>
  `… the model failed (${reason}); attempt ${attempt} in ${wait}`

export const brokeOff = "(the answer was cut off here)"

export const cancelled = "cancelled"

export const released = "… its engine released the run"

export const waitingForEngine = "waiting for another engine"

export const wantsToRun = (tool: string): string => `${tool} wants to run with this input:`

export const choices = "y = allow once, s = allow for this session, n = deny: "

export const choicesWithAlways = "y = allow once, s = for this session, p = always, n = deny: "

export const wantsToRunOrAlways = (tool: string, rule: string): string =>
  `${tool} wants to run with this input (p stores the rule ${rule}):`

export const leftOut = (characters: number): string => `${counted(characters, "character")} left out`

export const seeAll = (characters: number): string => `${leftOut(characters)}; type a to see everything`

/** What the model is told. */
export const refused = "the user said no"

/** What the model is told. */
export const nobodyToAsk = "there is nobody to ask: Skein runs without --yes and without a terminal that takes answers"
