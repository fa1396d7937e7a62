/** The name of a person or program that does something to a session, as the host names them. Pure. */
import { Schema } from "effect"
import * as SafeText from "./SafeText.js"

/** The name of the person or program that does something, as the host names them. 1 to 256 characters. */
export const Actor = Schema.NonEmptyString.pipe(
  Schema.maxLength(256),
  Schema.filter(SafeText.isStorable, {
    description: "a text of 1 to 256 characters without NUL or half surrogate pairs"
  }),
  Schema.brand("Actor")
)
export type Actor = typeof Actor.Type
