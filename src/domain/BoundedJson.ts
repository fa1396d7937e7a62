/**
 * Parses JSON that a model wrote. How many values it has and how deep they are nested is bounded before it is parsed,
 * because whatever walks it afterwards does so in one stretch. Pure.
 */
import { Either } from "effect"
import * as JsonSize from "./JsonSize.js"

/** More than a model writes in one go, and what can be parsed and checked without anybody noticing. */
export const mostValues = 20_000

/** Values in values: more than anybody needs, less than what exhausts a stack. */
export const deepest = 100

export const tooDeep = (depth: number = deepest): string => `nested more than ${depth} deep`

/** Characters that are counted before the count is looked at. */
const portion = 64 * 1024

const encoder = new TextEncoder()

const excess = (text: string, depth: number): string | null => {
  const size = JsonSize.make()
  for (let from = 0; from < text.length; from += portion) {
    size.take(encoder.encode(text.slice(from, from + portion)))
    if (size.deepest() > depth) return tooDeep(depth)
    if (size.values() > mostValues) return `more than ${mostValues} values`
  }
  return null
}

/** Returns the value of a text that has at most 20,000 values, by default at most 100 deep, or what is wrong with it. */
export const parse = (text: string, depth: number = deepest): Either.Either<unknown, string> => {
  const flaw = excess(text, depth)
  if (flaw !== null) return Either.left(flaw)
  return Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (error) => `not JSON (${error instanceof Error ? error.message : "unreadable"})`
  })
}
