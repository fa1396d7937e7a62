/** A step of a script in the frames of each protocol: what the model writes, then what closes the answer. */
import type { Script } from "../../../../src/domain/Script.js"

type Step = Script[number]

export interface Frames {
  readonly deltas: ReadonlyArray<string>
  readonly closing: ReadonlyArray<string>
}

/** One server-sent event. */
export const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

/** One server-sent event that has a name. */
export const event = (type: string, fields: Readonly<Record<string, unknown>> = {}): string =>
  `event: ${type}\n${data({ type, ...fields })}`

const deltasOf = (deltas: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  typeof deltas === "string" ? [deltas] : (deltas ?? [])

/** Raw inputs, split in two so that they arrive in parts. */
const callsOf = (step: Step) =>
  (step.calls ?? []).map(({ input, name }, index) => {
    const raw = typeof input === "string" ? input : JSON.stringify(input)
    return { id: `call_${index + 1}`, index, name, raw, halves: [raw.slice(0, 3), raw.slice(3)] }
  })

const hasCalls = (step: Step): boolean => (step.calls ?? []).length > 0

export const chatDelta = (delta: unknown): string =>
  data({ id: "chat_1", created: 1, model: "fake", choices: [{ index: 0, delta, finish_reason: null }] })

export const chatFinish = (reason: string): string =>
  data({ id: "chat_1", created: 1, model: "fake", choices: [{ index: 0, delta: {}, finish_reason: reason }] })

const chatReason = (step: Step): string => {
  if (step.finish === "length") return "length"
  if (step.finish === "content-filter") return "content_filter"
  return hasCalls(step) ? "tool_calls" : "stop"
}

export const chat = (step: Step): Frames => ({
  deltas: [
    ...deltasOf(step.reasoning).map((text) => chatDelta({ reasoning_content: text })),
    ...deltasOf(step.text).map((text) => chatDelta({ content: text })),
    ...callsOf(step).flatMap(({ halves: [first = "", second = ""], id, index, name }) => [
      chatDelta({ tool_calls: [{ index, id, type: "function", function: { name, arguments: first } }] }),
      chatDelta({ tool_calls: [{ index, function: { arguments: second } }] })
    ])
  ],
  closing: [
    chatFinish(chatReason(step)),
    ...(step.usage === undefined
      ? []
      : [
          data({
            choices: [],
            usage: {
              prompt_tokens: step.usage.inputTokens,
              completion_tokens: step.usage.outputTokens,
              prompt_tokens_details: { cached_tokens: step.usage.cachedInputTokens },
              completion_tokens_details: { reasoning_tokens: step.usage.reasoningTokens }
            }
          })
        ]),
    "data: [DONE]\n\n"
  ]
})

const anthropicReason = (step: Step): string => {
  if (step.finish === "length") return "max_tokens"
  if (step.finish === "content-filter") return "refusal"
  return hasCalls(step) ? "tool_use" : "end_turn"
}

export const anthropicStart = (step: Step = {}): string =>
  event("message_start", {
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "fake",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        input_tokens: step.usage?.inputTokens ?? 1,
        output_tokens: 1,
        cache_read_input_tokens: step.usage?.cachedInputTokens ?? 0,
        cache_creation_input_tokens: step.usage?.cacheWriteTokens ?? 0
      }
    }
  })

/** A content block: its start, its deltas, its stop. */
export const anthropicBlock = (
  index: number,
  block: Readonly<Record<string, unknown>>,
  deltas: ReadonlyArray<Readonly<Record<string, unknown>>>
): ReadonlyArray<string> => [
  event("content_block_start", { index, content_block: block }),
  ...deltas.map((delta) => event("content_block_delta", { index, delta })),
  event("content_block_stop", { index })
]

export const anthropicStop = (reason: string, outputTokens: number): ReadonlyArray<string> => [
  event("message_delta", {
    delta: { stop_reason: reason, stop_sequence: null },
    usage: { output_tokens: outputTokens }
  }),
  event("message_stop")
]

export const anthropic = (step: Step): Frames => {
  const blocks = [
    ...(step.reasoning === undefined
      ? []
      : [
          {
            block: { type: "thinking", thinking: "" },
            deltas: [
              ...deltasOf(step.reasoning).map((thinking) => ({ type: "thinking_delta", thinking })),
              { type: "signature_delta", signature: "signed" }
            ]
          }
        ]),
    ...(step.text === undefined
      ? []
      : [
          {
            block: { type: "text", text: "" },
            deltas: deltasOf(step.text).map((text) => ({ type: "text_delta", text }))
          }
        ]),
    ...callsOf(step).map(({ halves, id, name }) => ({
      block: { type: "tool_use", id, name, input: {} },
      deltas: halves.map((partial_json) => ({ type: "input_json_delta", partial_json }))
    }))
  ]
  return {
    deltas: [
      anthropicStart(step),
      ...blocks.flatMap(({ block, deltas }, index) => anthropicBlock(index, block, deltas))
    ],
    closing: anthropicStop(anthropicReason(step), step.usage?.outputTokens ?? 1)
  }
}

const reasoningItem = (step: Step): ReadonlyArray<string> => {
  const item = { type: "reasoning", id: "rs_1" }
  const position = { item_id: "rs_1", summary_index: 0 }
  return [
    event("response.output_item.added", { output_index: 0, item }),
    event("response.reasoning_summary_part.added", position),
    ...deltasOf(step.reasoning).map((delta) => event("response.reasoning_summary_text.delta", { ...position, delta })),
    event("response.reasoning_summary_part.done", position),
    event("response.output_item.done", { output_index: 0, item: { ...item, encrypted_content: "sealed" } })
  ]
}

const messageItem = (step: Step): ReadonlyArray<string> => {
  const item = { type: "message", id: "msg_1" }
  return [
    event("response.output_item.added", { output_index: 1, item }),
    ...deltasOf(step.text).map((delta) => event("response.output_text.delta", { item_id: item.id, delta })),
    event("response.output_item.done", { output_index: 1, item })
  ]
}

const callItems = (step: Step): ReadonlyArray<string> =>
  callsOf(step).flatMap(({ halves, id, index, name, raw }) => {
    const item = { type: "function_call", id: `fc_${index + 1}`, call_id: id, name }
    const position = { item_id: item.id, output_index: index + 2 }
    return [
      event("response.output_item.added", { ...position, item: { ...item, arguments: "" } }),
      ...halves.map((delta) => event("response.function_call_arguments.delta", { ...position, delta })),
      event("response.output_item.done", { ...position, item: { ...item, arguments: raw, status: "completed" } })
    ]
  })

const incomplete: Readonly<Record<string, string>> = { length: "max_output_tokens", "content-filter": "content_filter" }

const responsesStart = event("response.created", { response: { id: "resp_1", created_at: 1, model: "fake" } })

const responsesEnd = (step: Step): string => {
  const reason = incomplete[step.finish ?? "stop"]
  const usage = {
    input_tokens: step.usage?.inputTokens ?? 1,
    input_tokens_details: { cached_tokens: step.usage?.cachedInputTokens ?? 0 },
    output_tokens: step.usage?.outputTokens ?? 1,
    output_tokens_details: { reasoning_tokens: step.usage?.reasoningTokens ?? 0 }
  }
  return reason === undefined
    ? event("response.completed", { response: { usage } })
    : event("response.incomplete", { response: { usage, incomplete_details: { reason } } })
}

export const responses = (step: Step): Frames => ({
  deltas: [
    responsesStart,
    ...(step.reasoning === undefined ? [] : reasoningItem(step)),
    ...(step.text === undefined ? [] : messageItem(step)),
    ...callItems(step)
  ],
  closing: [responsesEnd(step)]
})
