/** Requests of chat completions, judged as a provider would judge them. */
import { Effect, Schema } from "effect"
import type { FakeProvider } from "../providers/FakeProvider.js"

const Message = Schema.Struct({
  role: Schema.String,
  content: Schema.optional(Schema.Unknown),
  tool_calls: Schema.optional(
    Schema.Array(
      Schema.Struct({ id: Schema.String, function: Schema.Struct({ name: Schema.String, arguments: Schema.String }) })
    )
  ),
  tool_call_id: Schema.optional(Schema.String)
})
type Message = typeof Message.Type

const Body = Schema.Struct({ model: Schema.String, messages: Schema.Array(Message) })

/** A request's body. */
export const decode = (received: Effect.Effect.Success<FakeProvider["take"]>) =>
  Effect.orDie(Schema.decodeUnknown(Body)(received.body))

/**
 * Why a provider would refuse these messages: a call without exactly one result right after it, or a result without a
 * call.
 */
export const problems = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  let awaited: ReadonlyArray<string> = []
  messages.forEach(({ role, tool_call_id, tool_calls = [] }, at) => {
    if (role === "tool") {
      if (!awaited.includes(tool_call_id ?? "")) problems.push(`message ${at} is a result of no call`)
      awaited = awaited.filter((id) => id !== tool_call_id)
      return
    }
    if (awaited.length > 0) problems.push(`message ${at} comes before the results of ${awaited.join(", ")}`)
    awaited = tool_calls.map(({ id }) => id)
    if (new Set(awaited).size < awaited.length) problems.push(`message ${at} has calls with the same id`)
  })
  return awaited.length > 0 ? [...problems, `no results of ${awaited.join(", ")}`] : problems
}

/** The texts of the results, in order. */
export const results = (messages: ReadonlyArray<Message>): ReadonlyArray<string> =>
  messages
    .filter(({ role }) => role === "tool")
    .map(({ content }) => (typeof content === "string" ? content : JSON.stringify(content)))
