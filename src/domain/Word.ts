/** A word of a list, as it is stored in a row or in a message: `tool-calls`, `run.ended`. */
import { Schema } from "effect"

export const Word = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9]*([-.][a-z0-9]+)*$/, { description: "a word in lower case" })
)
