/** Lists of sessions: which to list, and one page of them. */
import { Schema } from "effect"
import { Owner, Session, SessionId } from "./Session.js"
import { RowDamaged } from "./SkeinError.js"

/** A field that may be left out or be undefined. */
const { optional } = Schema

/** Which sessions a list holds, and which page of it. */
export const SessionQuery = Schema.Struct({
  /** Only sessions of exactly this folder. */
  workdir: optional(Schema.String),
  owner: optional(Owner),
  /** Only sessions that were created under this one. */
  parent: optional(SessionId),
  /** Only titles that contain this text. ASCII letters match in either case. */
  title: optional(Schema.String),
  /** Only sessions with a run that has not ended: one that runs, waits for its turn or was left behind. False: only others. */
  active: optional(Schema.Boolean),
  /** The page after the one whose `next` this is. */
  after: optional(Schema.NonNegativeInt.annotations({ description: "the `next` of a page" })),
  /** Sessions a page, 1 to 500. Defaults to 50. */
  limit: optional(Schema.Int.pipe(Schema.between(1, 500, { description: "a whole number from 1 to 500" }))),
  /** Whether to count all that match, which reads every one of them. */
  total: optional(Schema.Boolean)
})
export type SessionQuery = typeof SessionQuery.Type

/**
 * Last created first. `next` is null on the last page. `total` counts all that match, on every page, and is absent
 * unless it was asked for. Sessions of the page whose rows do not decode are in `damaged` instead of `sessions`.
 */
export const SessionPage = Schema.Struct({
  sessions: Schema.Array(Session),
  damaged: Schema.Array(RowDamaged),
  next: Schema.NullOr(Schema.Int),
  total: optional(Schema.NonNegativeInt)
})
export type SessionPage = typeof SessionPage.Type
