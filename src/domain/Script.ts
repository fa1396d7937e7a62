/**
 * A model's answers, written in advance. A script is a JSON array of steps, and a step is what the model writes in
 * one go. The first step answers the first message; a step that asks for calls is followed, once the tools are done,
 * by the next one.
 *
 * ```json
 * [
 *   {
 *     "reasoning": "The file first.",
 *     "text": "Let me look.",
 *     "calls": [{ "name": "read", "input": { "path": "notes.md" } }],
 *     "usage": { "inputTokens": 12, "outputTokens": 7 }
 *   },
 *   { "text": ["It says ", "hello."], "delayMillis": 200 },
 *   { "text": "half an ans", "failure": { "reason": "overloaded" } }
 * ]
 * ```
 *
 * Unknown fields are refused, so that a misspelt one is noticed.
 */
import { ParseResult, Schema } from "effect"
import type { Either } from "effect"
import { JsonRecord } from "./Json.js"
import { FinishReason } from "./Message.js"
import { ModelFailed } from "./SkeinError.js"

const Count = Schema.optionalWith(Schema.NonNegativeInt, { exact: true })

/** A text, streamed word by word, or the exact deltas to stream. */
const Deltas = Schema.optionalWith(Schema.Union(Schema.String, Schema.Array(Schema.String)), { exact: true })

/** A tool call. `input` is the tool's input; a string is taken as the raw text that the model wrote, valid or not. */
export const Call = Schema.Struct({ name: Schema.NonEmptyString, input: Schema.Union(JsonRecord, Schema.String) })
export type Call = typeof Call.Type

/** How a step breaks off. `reason` is one of `ModelFailed`'s. */
export const Failure = Schema.Struct({
  reason: ModelFailed.fields.reason,
  /** HTTP status. */
  status: Schema.optionalWith(Schema.Int, { exact: true }),
  retryAfterMillis: Count,
  detail: Schema.optionalWith(Schema.String, { exact: true })
})
export type Failure = typeof Failure.Type

/** One step. The model reasons, writes, calls, in that order; every field may be left out. */
export const Step = Schema.Struct({
  reasoning: Deltas,
  text: Deltas,
  calls: Schema.optionalWith(Schema.Array(Call), { exact: true }),
  /** A count left out is one that the provider did not report. */
  usage: Schema.optionalWith(
    Schema.Struct({
      inputTokens: Count,
      outputTokens: Count,
      reasoningTokens: Count,
      cachedInputTokens: Count,
      cacheWriteTokens: Count
    }),
    { exact: true }
  ),
  /** Defaults to `tool-calls` when the step asks for calls, else to `stop`. */
  finish: Schema.optionalWith(FinishReason, { exact: true }),
  /** The step fails once all of the above is written, instead of finishing. */
  failure: Schema.optionalWith(Failure, { exact: true }),
  /** The step never ends once all of the above is written. */
  hang: Schema.optionalWith(Schema.Literal(true), { exact: true }),
  /** Wait before each delta. Defaults to none. */
  delayMillis: Count
})
export type Step = typeof Step.Type

export const Script = Schema.Array(Step).annotations({
  identifier: "Script",
  parseOptions: { onExcessProperty: "error" }
})
export type Script = typeof Script.Type

/** Reads a script file's text. */
export const fromJson: (text: string) => Either.Either<Script, ParseResult.ParseError> = Schema.decodeUnknownEither(
  Schema.parseJson(Script),
  { errors: "all" }
)
