/**
 * Finds what JSON cannot hold, or what its readers cannot cope with: numbers that are not finite (`1e999` in a text is
 * read as one), and values nested more than 100 deep. Looks no deeper than that. In a value that was read from a text,
 * also finds integers so large that reading them has changed their digits.
 */
import { Predicate } from "effect"

/** Values in values: more than anybody needs, less than what exhausts a stack. */
const maxDepth = 100

type NumberFlaw = (value: number) => string | null

const infinite: NumberFlaw = (value) => (Number.isFinite(value) ? null : "a number that JSON cannot hold")

const inexact: NumberFlaw = (value) =>
  Number.isInteger(value) && !Number.isSafeInteger(value)
    ? `an integer beyond ${Number.MAX_SAFE_INTEGER}, whose last digits would be lost`
    : infinite(value)

const flawsOf = (value: unknown, path: ReadonlyArray<string>, found: Array<string>, flawOf: NumberFlaw): void => {
  const flaw = typeof value === "number" ? flawOf(value) : null
  if (flaw !== null) found.push(`${path.join(".")}${path.length === 0 ? "" : ": "}${flaw}`)
  if (!Array.isArray(value) && !Predicate.isReadonlyRecord(value)) return
  if (path.length >= maxDepth) found.push(`${path.slice(0, 3).join(".")}…: nested more than ${maxDepth} deep`)
  else for (const [key, inner] of Object.entries(value)) flawsOf(inner, [...path, key], found, flawOf)
}

const flaws = (value: unknown, flawOf: NumberFlaw): ReadonlyArray<string> => {
  const found: Array<string> = []
  flawsOf(value, [], found, flawOf)
  return found
}

/** Returns one line for each flaw, with its path. */
export const find = (value: unknown): ReadonlyArray<string> => flaws(value, infinite)

const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** Whether a JSON text has an integer, written as such, whose digits change when it is read. */
const hasInexactInteger = (json: string): boolean => {
  if (!/\d{16}/.test(json)) return false
  for (let at = 0; at < json.length; at++) {
    if (json[at] === '"') {
      for (at++; json[at] !== '"' && at < json.length; at++) if (json[at] === "\\") at++
      continue
    }
    number.lastIndex = at
    const found = number.exec(json)?.[0]
    if (found === undefined) continue
    if (/^-?\d+$/.test(found) && !Number.isSafeInteger(Number(found)) && String(Number(found)) !== found) return true
    at += found.length - 1
  }
  return false
}

/** Does the same for a value that was read from this text, and finds inexact integers too. */
export const findRead = (json: string, value: unknown): ReadonlyArray<string> =>
  flaws(value, hasInexactInteger(json) ? inexact : infinite)
