/** A session: the unit that is kept, ordered, watched and deleted. */
import { Schema } from "effect"
import { JsonRecord } from "./Json.js"
import * as SafeText from "./SafeText.js"
import { ModelRef } from "./ModelRef.js"
import { Total } from "./Usage.js"

/** 1 to 64 of `A-Z a-z 0-9 _ -`, beginning with a letter or digit: safe as a folder name on every platform. */
export const SessionId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
    description: "a session id has 1 to 64 of A-Z a-z 0-9 _ - and begins with a letter or digit"
  }),
  Schema.brand("SessionId")
)
export type SessionId = typeof SessionId.Type

/** Whose session it is; the host's own notion of a user. */
export const Owner = Schema.NonEmptyString.pipe(
  Schema.maxLength(256),
  Schema.filter(SafeText.isStorable, {
    description: "a text of 1 to 256 characters without NUL or half surrogate pairs"
  }),
  Schema.brand("Owner")
)
export type Owner = typeof Owner.Type

/** A message's place in its session: 1, 2, 3 …, without gaps, never reused or renumbered. */
export const Seq = Schema.Int.pipe(Schema.positive(), Schema.brand("Seq"))
export type Seq = typeof Seq.Type

/** A durable event's place in its session. Consecutive, never reused, not even by a later session of the same id. */
export const Cursor = Schema.NonNegativeInt.pipe(Schema.brand("Cursor"))
export type Cursor = typeof Cursor.Type

export const Session = Schema.Struct({
  id: SessionId,
  title: Schema.String,
  /** Whether somebody named it; until then a first message may give it its title. */
  named: Schema.Boolean,
  owner: Schema.OptionFromNullOr(Owner),
  /** Absolute path of the folder that the session works in. */
  workdir: Schema.String,
  /** Null leaves the choice to the host's `Models`. */
  model: Schema.NullOr(ModelRef),
  metadata: JsonRecord,
  usage: Total,
  /** The transcript's last place; as places have no gaps, also its number of messages. 0 when empty. */
  head: Schema.NonNegativeInt,
  /** The newest durable event. */
  cursor: Cursor,
  /** Milliseconds since the epoch. */
  createdAt: Schema.Int,
  /** Milliseconds since the epoch. */
  updatedAt: Schema.Int
})
export type Session = typeof Session.Type

export { SessionId as Id }

/** The title of a session that has neither a name nor a message. */
export const untitled = "New session"

/** Control characters, halves of surrogate pairs, and what turns or hides the text around it. */
const unprintable = /[\p{Cc}\p{Cs}\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu

/** White space, line breaks included, becomes single blanks; none at the ends. What cannot be seen is left out. */
export const foldTitle = (title: string): string =>
  title.replace(/\s+/gu, " ").replace(unprintable, "").replace(/ +/g, " ").trim()

/** A title made of a message's first line that says something, cut to `limit` characters (code points). */
export const titleOfText = (text: string, limit: number): string => {
  const line = text
    .split(/\r\n|[\n\r\u2028\u2029]/u)
    .map(foldTitle)
    .find((line) => line !== "")
  if (line === undefined || limit < 1) return untitled
  const points = Array.from(line)
  return points.length <= limit
    ? line
    : `${points
        .slice(0, limit - 1)
        .join("")
        .trimEnd()}…`
}
