/**
 * The messages that replace those that cannot be read any more. They say so, to a person and to a model, and the
 * transcript stays one that a provider accepts: calls keep their results, and results their calls. Pure.
 */
import { Option, Schema } from "effect"
import { type CallPart, type Message, Outcome } from "../../../../domain/Message.js"
import { unknown } from "../../../../domain/Usage.js"

const text = "[A message here was damaged and can no longer be read.]"
const resultText = "[The result of this call was damaged and can no longer be read. Its effects are unknown.]"

export type CallOf = Pick<CallPart, "callId" | "name">

const decodeOutcome = Schema.decodeUnknownOption(Outcome)

export const user: Message = { role: "user", parts: [{ type: "text", text }] }

/** A message of a user without anything in it. */
export const blank: Message = { role: "user", parts: [] }

/** `calls` are those that have places after it; what they were called with is lost. */
export const assistant = (calls: ReadonlyArray<CallOf>): Message => ({
  role: "assistant",
  parts: [
    { type: "text", text },
    ...calls.map(({ callId, name }) => ({ type: "call" as const, callId, name, input: "{}" }))
  ],
  model: { provider: "unknown", model: "unknown" },
  finish: calls.length === 0 ? "other" : "tool-calls",
  usage: unknown
})

/** `outcome` is kept if it is one. */
export const result = ({ callId, name }: CallOf, outcome: unknown): Message => ({
  role: "tool",
  callId,
  name,
  outcome: Option.getOrElse(decodeOutcome(outcome), () => "interrupted" as const),
  text: resultText
})
