/**
 * What a result keeps besides its text and its files: a value for programs, diffs for people. Each part is bounded, and
 * so is their sum. A part that is too large is left out as a whole, and a note for the text says so. Pure.
 */
import { Either } from "effect"
import * as Limits from "./Limits.js"
import type { DiffPart, JsonPart } from "./Message.js"

/** Maximum files of one result. */
export const mostFiles = 16

const mostDiffs = 32

/** Bytes of one side of a diff. */
export const sideBytes = 64 * 1024

/** Bytes of a value as JSON. */
const valueBytes = 256 * 1024

/** Bytes of all parts as JSON; also at most half of a message's limit. */
const allBytes = 1024 * 1024

/** What a tool returned. */
export interface Given {
  /** Undefined for no value. */
  readonly json?: unknown
  readonly diffs?: ReadonlyArray<Omit<DiffPart, "type">> | undefined
}

export interface Kept {
  readonly parts: ReadonlyArray<JsonPart | DiffPart>
  /** One for each part that was left out, and one for all diffs beyond the maximum. */
  readonly notes: ReadonlyArray<string>
}

/** Quotes somebody else's text in a note. */
const quoted = (text: string): string => JSON.stringify(text.slice(0, 100))

/** Returns the note for a file that is not kept. */
export const notKept = (name: string, reason: string): string => `[The file ${quoted(name)} was not kept: ${reason}.]`

/** Returns the note for what was left out after the first `most`. */
export const tooMany = (what: string, most: number): string =>
  `[A result has ${most} ${what} at most; others were left out.]`

/** Returns the value as it will be read, so that it is the same before and after it is stored. */
const jsonPart = (value: unknown): Either.Either<JsonPart, string> =>
  Limits.json("json", value, valueBytes).pipe(
    Either.mapBoth({
      onLeft: ({ actual, limit }) => `[The result's JSON was left out: ${limit} are kept, it has ${actual}.]`,
      onRight: (text): JsonPart => ({ type: "json", value: JSON.parse(text) })
    })
  )

const diffPart = ({ after, before, path }: Omit<DiffPart, "type">): Either.Either<DiffPart, string> =>
  [before ?? "", after].every((side) => side.length <= sideBytes && Limits.byteLength(side) <= sideBytes)
    ? Either.right({ type: "diff", path, before, after })
    : Either.left(`[The diff of ${quoted(path)} was left out: ${sideBytes} bytes a side are kept.]`)

/** Returns which parts are kept, and notes about the others. */
export const keep = ({ diffs = [], json }: Given, { messageBytes }: Pick<Limits.Limits, "messageBytes">): Kept => {
  const limit = Math.min(allBytes, Math.floor(messageBytes / 2))
  const parts: Array<JsonPart | DiffPart> = []
  const notes: Array<string> = []
  let size = 0
  const add = (part: Either.Either<JsonPart | DiffPart, string>, name: string): void => {
    if (Either.isLeft(part)) return void notes.push(part.left)
    const bytes = Limits.byteLength(JSON.stringify(part.right))
    if (size + bytes > limit) return void notes.push(`[${name} was left out: ${limit} bytes of such parts are kept.]`)
    size += bytes
    parts.push(part.right)
  }
  if (json !== undefined) add(jsonPart(json), "The result's JSON")
  for (const diff of diffs.slice(0, mostDiffs)) add(diffPart(diff), `The diff of ${quoted(diff.path)}`)
  if (diffs.length > mostDiffs) notes.push(tooMany("diffs", mostDiffs))
  return { parts, notes }
}
