/** Names who does something to a session, a person or a program, as the host names them. Pure. */
import { Schema } from "effect"
import * as SafeText from "./SafeText.js"

/** Who does something, as the host names people and programs. 1 to 256 characters. */
export const Actor = Schema.NonEmptyString.pipe(
  Schema.maxLength(256),
  Schema.filter(SafeText.isStorable, {
    description: "a text of 1 to 256 characters without NUL or half surrogate pairs"
  }),
  Schema.brand("Actor")
)
export type Actor = typeof Actor.Type
