/** Lists of sessions: which to list in which order, and one page of them. */
import { Schema } from "effect"
import * as SafeText from "./SafeText.js"
import type { ModelRef } from "./ModelRef.js"
import type { Named } from "./Named.js"
import { Placement } from "./Placement.js"
import { Owner, Session, SessionId } from "./Session.js"
import { SessionActivity } from "./SessionActivity.js"
import { RowDamaged } from "./SkeinError.js"
import type { Total } from "./Usage.js"

/** A field that may be left out or be undefined. */
const { optional } = Schema

/** Where a page ends: numbers of its last session. */
const Place = Schema.String.pipe(
  Schema.pattern(/^-?\d{1,16}(\.-?\d{1,16}){0,3}$/, { description: "the `next` of a page" })
)

/** A text that a session may have: databases refuse others. */
const Searched = Schema.String.pipe(
  Schema.filter(SafeText.isStorable, { description: "well-formed text without NUL characters" })
)

/** Which sessions a list holds, in which order, and which page of it. */
export const SessionQuery = Schema.Struct({
  /** Only sessions with exactly this folder. */
  workdir: optional(Searched),
  owner: optional(Owner),
  /** Only sessions that were created under this one. */
  parent: optional(SessionId),
  /** Only sessions with this placement. */
  placement: optional(Placement),
  /** Only ids that begin with this text. */
  idPrefix: optional(SessionId),
  /** Only titles that contain this text. ASCII letters match in either case. */
  title: optional(Searched),
  /** Only sessions that have changed, or were imported, at or after this time, in milliseconds since the epoch. */
  since: optional(Schema.NonNegativeInt),
  /** Only sessions that do one of these now. Each of them except "idle" means that a run has not ended. */
  activity: optional(Schema.Array(SessionActivity)),
  /** Last created first, or last changed first. Defaults to "created". */
  order: optional(Schema.Literal("created", "activity")),
  /** The page after the one whose `next` this is. */
  after: optional(Place),
  /** Sessions per page, 1 to 500. Defaults to 50. */
  limit: optional(Schema.Int.pipe(Schema.between(1, 500, { description: "a whole number from 1 to 500" }))),
  /** Whether to count all sessions that match, which reads every one of them. */
  total: optional(Schema.Boolean)
}).annotations({ identifier: "SessionQuery" })
export type SessionQuery = Named<typeof SessionQuery.Type>

/** A session of a list, and what it does. */
export const ListedSession = Schema.Struct({ ...Session.fields, activity: SessionActivity }).annotations({
  identifier: "ListedSession"
})
export type ListedSession = Named<typeof ListedSession.Type, { readonly usage: Total; readonly model: ModelRef | null }>

/**
 * `next` is null on the last page. A session that changes while a list ordered by activity is read moves to the front,
 * where later pages do not show it. `total` counts all sessions that match, on every page, and is absent unless it was
 * asked for. Sessions of the page whose rows do not decode are in `damaged` instead of `sessions`.
 */
export const SessionPage = Schema.Struct({
  sessions: Schema.Array(ListedSession),
  damaged: Schema.Array(RowDamaged),
  next: Schema.NullOr(Place),
  total: optional(Schema.NonNegativeInt)
}).annotations({ identifier: "SessionPage" })
export type SessionPage = Named<typeof SessionPage.Type, { readonly sessions: ReadonlyArray<ListedSession> }>
