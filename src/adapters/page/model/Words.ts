/** Numbers and states as people read them. Pure. */
import type { State } from "./Strands.js"
import { count } from "../../../domain/Amounts.js"
import * as Visible from "./Visible.js"
import type { Activity, Session, StopReason } from "./Wire.js"

export { cost, count, counted } from "../../../domain/Amounts.js"

/** A duration in milliseconds. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.max(0, Math.round(millis))} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  if (millis < 3_600_000) return `${Math.floor(millis / 60_000)} min ${Math.round((millis % 60_000) / 1000)} s`
  return `${Math.floor(millis / 3_600_000)} h ${Math.round((millis % 3_600_000) / 60_000)} min`
}

/** The beginning of a text, on one line. */
export const beginning = (text: string): string => {
  const characters = Array.from(Visible.line(text.slice(0, 200)))
  return characters.length <= 40 ? characters.join("") : `${characters.slice(0, 39).join("").trimEnd()}…`
}

/** A price in US dollars. */
export const price = (dollars: number): string => `$${dollars}`

/** The tokens of a session; "+" where some of its steps reported none. */
export const tokens = ({
  inputTokens,
  outputTokens,
  steps,
  unknownSteps
}: Pick<Session["usage"], "inputTokens" | "outputTokens" | "steps" | "unknownSteps">): string => {
  if (steps === 0) return "no tokens yet"
  if (unknownSteps === steps) return "tokens unknown"
  return `${count(inputTokens + outputTokens)}${unknownSteps === 0 ? "" : " +"} tokens`
}

/** At most one decimal, and none that is 0. */
const rounded = (n: number): string => String(Math.round(n * 10) / 10)

export const bytes = (n: number): string => {
  if (n < 1024) return `${n} B`
  if (n < 1024 * 1024) return `${rounded(n / 1024)} KiB`
  return `${rounded(n / 1024 / 1024)} MiB`
}

/** How long ago something was. */
export const ago = (millis: number): string => {
  const minutes = Math.floor(millis / 60_000)
  if (minutes < 1) return "now"
  if (minutes < 60) return `${minutes} min`
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`
  return `${Math.floor(minutes / 24 / 60)} d`
}

export const activities: Readonly<Record<Activity, string>> = {
  idle: "idle",
  queued: "queued",
  running: "running",
  asks: "asks",
  crashed: "interrupted"
}

export const states: Readonly<Record<State, string>> = {
  pending: "waiting",
  asked: "asks you",
  running: "running",
  finished: "finished",
  failed: "failed",
  interrupted: "interrupted",
  denied: "denied",
  "not-started": "not run"
}

/** Why a run ended. */
export const stops: Readonly<Record<StopReason, string>> = {
  completed: "The run has ended",
  refused: "The model declined to answer",
  "output-limit": "The answer was cut off at its length limit",
  cancelled: "Cancelled",
  deleted: "The session was deleted",
  failed: "The run failed",
  crashed: "The run's engine is gone",
  "step-limit": "Stopped at the step limit",
  "repeated-calls": "Stopped: the same calls were repeated",
  "lease-lost": "Another process took over the session",
  other: "The run ended for a reason that this version does not know"
}
