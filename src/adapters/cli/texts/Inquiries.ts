/** What a person at the terminal is told about the inquiry of a running call. Names are made harmless by the caller. */
import type { FieldKind } from "../../../domain/Inquiry.js"

export const asks = (from: string, tool: string): string => `${from} asks, while ${tool} runs:`

export const first = (fields: number): string =>
  fields === 0 ? "y = yes, n = no: " : `y = answer (${fields === 1 ? "1 field" : `${fields} fields`}), n = decline: `

export const kinds: Readonly<Record<FieldKind, string>> = {
  text: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "y or n",
  choice: "one of",
  choices: "one or more, separated by commas"
}

export const canSkip = "may be empty"

export const initial = (value: string): string => `leave empty for ${value}`

export const least = (least: number): string => `at least ${least}`

export const most = (most: number): string => `at most ${most}`
