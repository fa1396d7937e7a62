/**
 * Messages that replace unreadable ones. They say so, to people and to models. Providers still accept the transcript:
 * calls keep their results, and results keep their calls. Pure.
 */
import { Option, Schema } from "effect"
import { type CallPart, type Message, Outcome } from "../../../../domain/Message.js"
import { unknown } from "../../../../domain/Usage.js"

const text = "[A message here was damaged and can no longer be read.]"
const resultText = "[The result of this call was damaged and can no longer be read. Its effects are unknown.]"

export type CallOf = Pick<CallPart, "callId" | "name">

const decodeOutcome = Schema.decodeUnknownOption(Outcome)

export const user: Message = { role: "user", parts: [{ type: "text", text }] }

/** An empty user message. */
export const blank: Message = { role: "user", parts: [] }

/** `calls` are the calls that have places after it. Their inputs are lost. */
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

/** `outcome` is kept if it is valid. */
export const result = ({ callId, name }: CallOf, outcome: unknown): Message => ({
  role: "tool",
  callId,
  name,
  outcome: Option.getOrElse(decodeOutcome(outcome), () => "interrupted" as const),
  text: resultText
})
