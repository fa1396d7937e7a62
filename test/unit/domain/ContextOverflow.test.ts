import { describe, expect, it } from "@effect/vitest"
import * as ContextOverflow from "../../../src/domain/ContextOverflow.js"

/** Messages that servers are known to send. */
const told: ReadonlyArray<readonly [text: string, limit: number | null, asked: number | null]> = [
  ["prompt is too long: 215000 tokens > 200000 maximum", 200_000, 215_000],
  [
    "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease input length or `max_tokens` and try again",
    200_000,
    199_000
  ],
  [
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
    8_192,
    8_000
  ],
  [
    "This model's maximum context length is 4097 tokens, however you requested 5000 tokens (3000 in your prompt; 2000 for the completion).",
    4_097,
    3_000
  ],
  [
    "This model's maximum context length is 8192 tokens. However, you requested 9,000 tokens (7500 in the messages, 500 in the functions, and 1,000 in the completion).",
    8_192,
    8_000
  ],
  [
    "This endpoint's maximum context length is 131072 tokens. However, you requested about 136072 tokens (5000 of text input, 131072 in the output). Please reduce the length of either one.",
    131_072,
    5_000
  ],
  [
    "This model's maximum context length is 4,096 tokens. However, your messages resulted in 12,345 tokens.",
    4_096,
    12_345
  ],
  ["Your input exceeds the context window of this model. Please adjust your input and try again.", null, null],
  ["the request exceeds the available context size (4096 tokens), try increasing it", 4_096, null],
  ["request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it", 8_192, 9_000],
  ["The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1_048_576, 1_200_000],
  [
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    32_768,
    40_000
  ],
  ["This model's maximum prompt length is 131072 but the request contains 150000 tokens.", 131_072, 150_000],
  [
    "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
    4_096,
    null
  ],
  [
    "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 8192 tokens and your request has 100 input tokens",
    8_192,
    100
  ]
]

describe("ContextOverflow", () => {
  for (const [text, limit, asked] of told) {
    it(`reads "${text.slice(0, 60)}…"`, () => {
      expect(ContextOverflow.read(text)).toEqual({ limit, asked })
    })
  }

  it.each([
    "Invalid signature in thinking block",
    "tools.0.input_schema: JSON schema is invalid",
    "messages: at least one message is required",
    "You exceeded your current quota",
    "temperature: 3 > 2"
  ])("does not mistake another refusal for an overflow (%s)", (text) => {
    expect(ContextOverflow.read(text)).toBeNull()
  })
})
