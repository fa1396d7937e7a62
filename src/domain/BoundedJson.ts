/**
 * Parses JSON that a model wrote. How many values it has and how deep they are nested is bounded before it is parsed,
 * because whatever walks it afterwards does so in one stretch. Pure.
 */
import { Either } from "effect"
import * as JsonBounds from "./JsonBounds.js"

/** More than a model writes in one go, and what can be parsed and checked without anybody noticing. */
export const mostValues = 20_000

/** Values in values: more than anybody needs, less than what exhausts a stack. */
export const deepest = 100

/** Returns the value of a text that has at most 20,000 values, by default at most 100 deep, or what is wrong with it. */
export const parse = (text: string, depth: number = deepest): Either.Either<unknown, string> => {
  const flaw = JsonBounds.excess(text, { values: mostValues, depth })
  if (flaw !== null) return Either.left(flaw)
  return Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (error) => `not JSON (${error instanceof Error ? error.message : "unreadable"})`
  })
}
