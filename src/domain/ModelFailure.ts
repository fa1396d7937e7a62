/**
 * Writes and reads the message of a `ModelFailed`. A run keeps nothing of its failure except this text, so code that
 * needs the details reads them from it here. Pure.
 */
import * as ModelRef from "./ModelRef.js"

/** Why a model step failed, as `ModelFailed` explains it. */
export const reasons = [
  "rate-limited",
  "overloaded",
  "unreachable",
  "cut",
  "silent",
  "rejected",
  "unauthorized",
  "malformed"
] as const

interface Fields {
  readonly reason: (typeof reasons)[number]
  readonly status: number | null
  readonly detail: string
}

/** What the message says. */
export interface ModelFailure extends Fields {
  readonly ref: ModelRef.ModelRef
}

/** `model` is `provider/model`. */
export const toText = ({ detail, model, reason, status }: Fields & { readonly model: string }): string =>
  `Model ${model} failed: ${reason}${status === null ? "" : ` (${status})`}${detail === "" ? "" : `: ${detail}`}`

const pattern = new RegExp(`^Model (.+?) failed: (${reasons.join("|")})(?: \\((\\d+)\\))?(?:: ([^]*))?$`, "u")

/** Returns null for a text that is not such a message. */
export const fromText = (text: string): ModelFailure | null => {
  const [, model = "", word, status, detail = ""] = pattern.exec(text) ?? []
  const [ref, reason] = [ModelRef.fromText(model), reasons.find((reason) => reason === word)]
  return ref === null || reason === undefined
    ? null
    : { ref, reason, status: status === undefined ? null : Number(status), detail }
}
