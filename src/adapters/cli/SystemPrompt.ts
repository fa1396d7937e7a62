/** The system prompts of the command's agents: the built-in ones, or one from a file. */
import { Effect } from "effect"
import { createReadStream } from "node:fs"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as BoundedText from "./BoundedText.js"

const looking =
  "You work in a folder of the user's computer, through tools. Look before you answer: read the files that matter " +
  "instead of guessing. Ask for tools that do not depend on each other in one go; they run at the same time."

/** For the agent that may change things. */
export const workspace = `${looking} Change only what was asked for, and say in the end, in a few sentences, what you found or did.`

/** For the agent that only reads. */
export const readOnly =
  `${looking} You can read and change nothing. Asked for a change, say which files you would change and how, in ` +
  "enough detail for somebody else to do it."

const limits: BoundedText.Limits = { field: "--system", mostBytes: 256 * 1024 }

/** The text of the file; null without one. Fails with `InvalidInput` when the file cannot be a prompt. */
export const load = Effect.fn("SystemPrompt.load")(function* (file: string | null) {
  if (file === null) return null
  const text = yield* BoundedText.read(createReadStream(file), limits)
  if (text.trim() !== "") return text
  return yield* new InvalidInput({ field: limits.field, limit: "must not be empty", actual: "an empty file" })
})
