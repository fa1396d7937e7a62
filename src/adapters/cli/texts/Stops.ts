/**
 * Why a run stopped, and what to do about it. The cause comes first. Texts that others wrote are made harmless by the
 * caller.
 */

/** How a run that ended without an answer is continued. */
export const resume = (sessionId: string, options: string): string =>
  `To continue: skein run --session ${sessionId} --resume${options}`

/** What a provider said, after the cause. */
const said = (status: number | null, detail: string): string =>
  `${status === null ? "" : ` (${status})`}${detail === "" ? "" : `: ${detail}`}`

export const unauthorized = (provider: string, status: number | null, detail: string): string =>
  `${provider} refused the key${said(status, detail)}`

export const unknownModel = (provider: string, model: string, status: number | null, detail: string): string =>
  `${provider} has no model ${model}${said(status, detail)}`

export const tooLong = (model: string, status: number | null, detail: string): string =>
  `the conversation is too long for ${model}${said(status, detail)}`

export const rejected = (model: string, status: number | null, detail: string): string =>
  `${model} rejected the request${said(status, detail)}`

export const failed = (model: string, what: string, status: number | null, detail: string): string =>
  `${model} ${what}${said(status, detail)}`

export const modelReasons = {
  "rate-limited": "is rate-limiting requests",
  overloaded: "is overloaded",
  unreachable: "cannot be reached",
  cut: "cut off its answer",
  silent: "stopped answering",
  malformed: "sent an answer that does not follow its protocol"
}

export const checkKey = (variable: string): string => `Check ${variable}`

export const nameKey = (provider: string, path: string): string =>
  `Name the variable with its key in ${path}: "apiKey": {"env": "NAME"} in provider ${provider}`

export const models = (names: ReadonlyArray<string>, more: number): string =>
  `It has ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`

export const checkModel = "Choose another with --model PROVIDER/MODEL"

export const setContext = (provider: string, path: string): string =>
  `Set "contextTokens" of provider ${provider} in ${path} to the model's limit; Skein then shortens what it sends`

export const setOutput = (provider: string, path: string): string =>
  `"maxOutputTokens" of provider ${provider} in ${path} sets the limit`

export const reasons: Readonly<Record<string, string>> = {
  refused: "the model declined to answer",
  "output-limit": "the answer reached the model's output limit",
  cancelled: "the run was cancelled",
  deleted: "the session was deleted",
  failed: "the run failed",
  crashed: "the run crashed",
  "step-limit": "the run reached its step limit",
  "repeated-calls": "the run was stopped because the model repeated the same calls",
  "lease-lost": "another process took over the session",
  other: "the run ended in a way that is unknown to this version of Skein"
}
