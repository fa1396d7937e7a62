/**
 * What the three services are known to refuse in a request's body: Anthropic's Messages, OpenAI's Responses and chat
 * completions. Each rule is documented or was publicly reported.
 */
import { complaintsOfSchema, stringsIn } from "./providerRules.js"

type Fields = Readonly<Record<string, unknown>>
type Rules = ReadonlyArray<readonly [isKept: boolean, complaint: string]>

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const list = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value.filter(isRecord) : [])
const isFilled = (value: unknown): boolean => typeof value === "string" && value.trim() !== ""
const isUnique = (values: ReadonlyArray<unknown>): boolean => new Set(values).size === values.length
const isSame = (one: ReadonlyArray<unknown>, other: ReadonlyArray<unknown>): boolean =>
  JSON.stringify(one) === JSON.stringify(other)
const isCallId = (value: unknown): boolean => typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value)
const isName = (value: unknown): boolean => typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value)
const isJsonObject = (text: unknown): boolean => typeof text === "string" && isRecord(JSON.parse(text))

const broken = (rules: Rules): ReadonlyArray<string> =>
  rules.flatMap(([isKept, complaint]) => (isKept ? [] : [complaint]))

const common = (body: Fields, schemas: ReadonlyArray<unknown>): Rules => [
  [stringsIn(body).every((text) => !/\p{Surrogate}/u.test(text)), "half of a surrogate pair"],
  ...schemas.flatMap((schema): Rules => complaintsOfSchema(schema).map((complaint) => [false, complaint] as const))
]

const ofType = (content: ReadonlyArray<Fields>, ...types: ReadonlyArray<string>) =>
  content.filter(({ type }) => types.includes(String(type)))

const anthropicMessage = (message: Fields, next: Fields | undefined, before: Fields | undefined): Rules => {
  const content = list(message.content)
  const calls = ofType(content, "tool_use").map(({ id }) => id)
  const results = ofType(list(next?.content), "tool_result").map((block) => block.tool_use_id)
  const own = ofType(content, "tool_result")
  return [
    [content.length > 0, "a message is empty"],
    [message.role !== before?.role, "two messages of one role in a row"],
    [message.role === "user" || next !== undefined, "the assistant comes last"],
    [ofType(content, "text").every(({ text }) => isFilled(text)), "a text is blank"],
    [message.role !== "assistant" || isSame(calls, results), "calls and results do not match"],
    [own.length === 0 || before?.role === "assistant", "results without their calls"],
    [own.every((block) => content.indexOf(block) < own.length), "results do not come first"],
    [ofType(content, "thinking").every(({ signature }) => isFilled(signature)), "thinking without signature"],
    [
      ofType(content, "tool_use").every(({ id, input, name }) => isCallId(id) && isName(name) && isRecord(input)),
      "a call"
    ],
    [
      message.role !== "assistant" || ofType(content.slice(-1), "thinking", "redacted_thinking").length === 0,
      "thinking last"
    ]
  ]
}

const marks = (value: unknown): number => JSON.stringify(value).split('"cache_control"').length - 1

/** Whether the last turn may go on with thinking: only if it began with it. */
const beganThinking = (messages: ReadonlyArray<Fields>): boolean => {
  const isSaid = (message: Fields) =>
    message.role === "user" && ofType(list(message.content), "tool_result").length === 0
  const [first] = messages.slice(messages.findLastIndex(isSaid) + 1)
  return first === undefined || ofType(list(first.content).slice(0, 1), "thinking", "redacted_thinking").length === 1
}

const anthropic = (body: Fields): Rules => {
  const messages = list(body.messages)
  const thinking = isRecord(body.thinking) ? body.thinking : {}
  const tools = list(body.tools)
  const stops = Array.isArray(body.stop_sequences) ? body.stop_sequences : []
  return [
    ...common(
      body,
      tools.map(({ input_schema }) => input_schema)
    ),
    [messages[0]?.role === "user", "the user does not come first"],
    [
      isUnique(messages.flatMap(({ content }) => ofType(list(content), "tool_use").map(({ id }) => id))),
      "an id is there twice"
    ],
    [list(body.system).every(({ text }) => isFilled(text)), "the system text is blank"],
    [tools.every((tool) => tool.eager_input_streaming === undefined), "a field of Anthropic's own server"],
    [stops.every(isFilled), "a stop text is blank"],
    [marks(body) <= 4, "more than four cache marks"],
    [thinking.type !== "enabled" || beganThinking(messages), "Expected `thinking` where the turn begins"],
    [
      thinking.type !== "enabled" ||
        (Number(thinking.budget_tokens) >= 1_024 && Number(thinking.budget_tokens) < Number(body.max_tokens)),
      "the budget of thinking"
    ],
    ...messages.flatMap((message, at) => anthropicMessage(message, messages[at + 1], messages[at - 1]))
  ]
}

const takesReasoning = (model: unknown): boolean => /^(?:gpt-[5-9](?!.*chat)|o\d)/.test(String(model))

const responses = (body: Fields): Rules => {
  const items = list(body.input)
  const calls = ofType(items, "function_call")
  const outputs = ofType(items, "function_call_output")
  const reasoning = ofType(items, "reasoning")
  const ids = items.flatMap(({ id }) => (id === undefined ? [] : [id]))
  const placeOf = (type: string, id: unknown) => items.findIndex((item) => item.type === type && item.call_id === id)
  const messages = items.filter(({ role }) => role !== undefined)
  return [
    ...common(
      body,
      list(body.tools).map(({ parameters }) => parameters)
    ),
    [
      reasoning.length === 0 || takesReasoning(body.model),
      "Reasoning input items can only be provided to a reasoning model"
    ],
    [reasoning.every(({ encrypted_content }) => isFilled(encrypted_content)), "reasoning that is not sealed"],
    [reasoning.every((item) => items.indexOf(item) < items.length - 1), "reasoning without the item that must follow"],
    [ofType(items, "item_reference").length === 0, "a reference to what is not stored"],
    [isUnique(ids), "an item id is there twice"],
    [ids.every((id) => typeof id === "string" && /^(?:rs|msg|fc)_/.test(id)), "an item id"],
    [isUnique(calls.map(({ call_id }) => call_id)), "a call id is there twice"],
    [
      calls.every(({ arguments: input, call_id, name }) => isCallId(call_id) && isName(name) && isJsonObject(input)),
      "a call"
    ],
    [
      calls.length === outputs.length && outputs.every(({ call_id }) => placeOf("function_call", call_id) >= 0),
      "calls and outputs"
    ],
    [
      calls.every(({ call_id }) => placeOf("function_call", call_id) < placeOf("function_call_output", call_id)),
      "an output before its call"
    ],
    [
      messages.every(({ content }) => (typeof content === "string" ? isFilled(content) : list(content).length > 0)),
      "an empty message"
    ],
    [Number(body.max_output_tokens) >= 16, "fewer than 16 tokens"]
  ]
}

const chatMessage = (message: Fields, after: ReadonlyArray<Fields>): Rules => {
  const calls = list(message.tool_calls)
  const answers = after.slice(0, calls.length)
  return [
    [calls.every(({ id }) => isCallId(id)), "a call id"],
    [
      calls.every(
        (call) => isRecord(call.function) && isName(call.function.name) && isJsonObject(call.function.arguments)
      ),
      "a call"
    ],
    [answers.every(({ role }) => role === "tool"), "a call without its result right after it"],
    [
      isSame(
        calls.map(({ id }) => id),
        answers.map((answer) => answer.tool_call_id)
      ),
      "calls and results do not match"
    ],
    [message.role !== "assistant" || calls.length > 0 || isFilled(message.content), "an empty message"],
    [message.role !== "tool" || isFilled(message.content), "an empty result"],
    [message.role !== "assistant" || after.length > 0, "the assistant comes last"]
  ]
}

const chat = (body: Fields): Rules => {
  const messages = list(body.messages)
  const calls = messages.flatMap((message) => list(message.tool_calls))
  return [
    ...common(
      body,
      list(body.tools).map((tool) => (isRecord(tool.function) ? tool.function.parameters : undefined))
    ),
    [calls.length === messages.filter(({ role }) => role === "tool").length, "a result without its call"],
    [isUnique(calls.map(({ id }) => id)), "a call id is there twice"],
    ...messages.flatMap((message, at) => chatMessage(message, messages.slice(at + 1)))
  ]
}

const byPath: ReadonlyArray<readonly [path: string, rules: (body: Fields) => Rules]> = [
  ["/messages", anthropic],
  ["/responses", responses],
  ["/chat/completions", chat]
]

/** Why the service at the path would refuse the body; empty if it accepts the body. */
export const complaintsOfBody = (path: string, body: unknown): ReadonlyArray<string> => {
  const [, rules] = byPath.find(([end]) => path.endsWith(end)) ?? []
  if (rules === undefined) return [`nothing answers at ${path}`]
  return isRecord(body) ? broken(rules(body)) : ["no JSON object"]
}
