/**
 * Finds what JSON cannot hold, or what its readers cannot cope with: numbers that are not finite (`1e999` in a text is
 * read as one), and values nested more than 100 deep. Looks no deeper than that. In a value that was read from a text,
 * also finds integers so large that reading them has changed their digits.
 */
import { Predicate } from "effect"
import * as BoundedJson from "./BoundedJson.js"
import * as JsonBounds from "./JsonBounds.js"
import * as Issues from "./Issues.js"

type NumberFlaw = (value: number) => string | null

const infinite: NumberFlaw = (value) => (Number.isFinite(value) ? null : "a number that JSON cannot hold")

const inexact: NumberFlaw = (value) =>
  Number.isInteger(value) && !Number.isSafeInteger(value)
    ? `an integer beyond ${Number.MAX_SAFE_INTEGER}, whose last digits would be lost`
    : infinite(value)

/** The first flaws as lines, and how many there are. */
interface Found {
  readonly lines: Array<string>
  count: number
}

/** `path` is where the value is, and is the same again afterwards. */
const findIn = (value: unknown, path: Array<string>, found: Found, flawOf: NumberFlaw): void => {
  const add = (flaw: string) => {
    if (found.count++ < Issues.maxLines) found.lines.push(Issues.at(path, flaw))
  }
  const flaw = typeof value === "number" ? flawOf(value) : null
  if (flaw !== null) add(flaw)
  if (!Array.isArray(value) && !Predicate.isReadonlyRecord(value)) return
  if (path.length >= BoundedJson.deepest) return add(JsonBounds.tooDeep(BoundedJson.deepest))
  for (const [key, inner] of Object.entries(value)) {
    path.push(key)
    findIn(inner, path, found, flawOf)
    path.pop()
  }
}

const flaws = (value: unknown, flawOf: NumberFlaw): string | null => {
  const found: Found = { lines: [], count: 0 }
  findIn(value, [], found, flawOf)
  return found.count === 0 ? null : Issues.bound(found.lines, found.count)
}

/** Returns a line for each flaw, with its path, but not for more than a reader can take in; null if there is none. */
export const find = (value: unknown): string | null => flaws(value, infinite)

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
export const findRead = (json: string, value: unknown): string | null =>
  flaws(value, hasInexactInteger(json) ? inexact : infinite)
