/**
 * What a result keeps beside its text and its files: a value for programs, diffs for people. Each is bounded, and so are
 * all together. What is too large is left out, whole, and a note for the text says so. Pure.
 */
import { Either } from "effect"
import * as Limits from "./Limits.js"
import type { DiffPart, JsonPart } from "./Message.js"

/** Files of one result. */
export const mostFiles = 16

const mostDiffs = 32

/** Bytes of one side of a diff. */
export const sideBytes = 64 * 1024

/** Bytes of a value as JSON. */
const valueBytes = 256 * 1024

/** Bytes of all as JSON; of a message's limit half at most. */
const allBytes = 1024 * 1024

/** What a tool gave. */
export interface Given {
  /** Undefined for none. */
  readonly json?: unknown
  readonly diffs?: ReadonlyArray<Omit<DiffPart, "type">> | undefined
}

export interface Kept {
  readonly parts: ReadonlyArray<JsonPart | DiffPart>
  /** One for each that was left out. */
  readonly notes: ReadonlyArray<string>
}

/** A text of somebody else's in a note. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 100))

/** What was left out after the first so many. */
export const tooMany = (what: string, most: number): string =>
  `[A result has ${most} ${what} at most; others were left out.]`

/** The value as it will be read, so that it is the same before it is stored and after. */
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

/** What is kept of it. */
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
