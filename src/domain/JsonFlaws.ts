/**
 * What a value holds that JSON cannot hold, or that its readers cannot bear: numbers that are not finite, which `1e999`
 * in a text becomes, and values nested more than 100 deep. Looks no deeper than that.
 */
import { Predicate } from "effect"

/** Values in values: more than anybody means, less than what exhausts a stack. */
const maxDepth = 100

const flawsOf = (value: unknown, path: ReadonlyArray<string>, found: Array<string>): void => {
  if (typeof value === "number" && !Number.isFinite(value)) {
    found.push(`${path.join(".")}${path.length === 0 ? "" : ": "}a number that JSON cannot hold`)
  }
  if (!Array.isArray(value) && !Predicate.isReadonlyRecord(value)) return
  if (path.length >= maxDepth) found.push(`${path.slice(0, 3).join(".")}…: nested more than ${maxDepth} deep`)
  else for (const [key, inner] of Object.entries(value)) flawsOf(inner, [...path, key], found)
}

/** One line for each flaw, with its place. */
export const find = (value: unknown): ReadonlyArray<string> => {
  const found: Array<string> = []
  flawsOf(value, [], found)
  return found
}
