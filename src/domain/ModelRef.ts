/** Names a model and how it should be used. The agent's models decide which model the name refers to. */
import { Schema } from "effect"
import { efforts } from "./Effort.js"
import type { Named } from "./Named.js"
import { present } from "./Present.js"

/** How much a model should think. A provider with fewer levels uses the nearest one. */
export const ReasoningEffort = Schema.Literal(...efforts)
export type ReasoningEffort = typeof ReasoningEffort.Type

/** How a model is asked. An absent option is left to the provider, `maxOutputTokens` to Skein's own default. */
export const Options = Schema.Struct({
  /** Maximum tokens that one step may write. */
  maxOutputTokens: Schema.optional(Schema.Int.pipe(Schema.positive())),
  temperature: Schema.optional(Schema.Number.pipe(Schema.between(0, 2))),
  reasoningEffort: Schema.optional(ReasoningEffort),
  seed: Schema.optional(Schema.Int),
  /** Texts at which the model stops writing. */
  stop: Schema.optional(Schema.Array(Schema.NonEmptyString))
}).annotations({ identifier: "ModelOptions" })
export type Options = Named<typeof Options.Type>

/** Returns the session's options, and the agent's where the session sets none. */
export const merge = (agent: Options, session: Options): Options => ({
  ...agent,
  ...present(session)
})

/** `provider` is a name known to the agent's models (such as "anthropic"), `model` the provider's own name. */
export const ModelRef = Schema.Struct({
  provider: Schema.String.pipe(
    Schema.pattern(/^[^/\s]+$/, { description: "a provider's name, without slashes and blanks" })
  ),
  model: Schema.NonEmptyString,
  options: Schema.optional(Options)
}).annotations({ identifier: "ModelRef" })
export type ModelRef = Named<typeof ModelRef.Type>

/** `provider/model`, as users write it. */
export const toText = (ref: { readonly provider: string; readonly model: string }): string =>
  `${ref.provider}/${ref.model}`

const isModelRef = Schema.is(ModelRef)

/** Reads `provider/model`; the model's own name may contain slashes. Returns null for a text of any other form. */
export const fromText = (text: string): ModelRef | null => {
  const slash = text.indexOf("/")
  const ref = { provider: text.slice(0, Math.max(slash, 0)), model: text.slice(slash + 1) }
  return isModelRef(ref) ? ref : null
}
