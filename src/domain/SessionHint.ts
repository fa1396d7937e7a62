/**
 * What clients are told about all sessions: that one has changed, and what it does now. A hint is not an event: of
 * several changes only the newest is reported, and clients must read what has changed. Hints are not kept; where some
 * are missing, a `gap` says so, and the list of sessions is the truth.
 */
import { Schema } from "effect"
import type { Named, NamedUnion } from "./Named.js"
import { Cursor, Owner, SessionId } from "./Session.js"
import { SessionActivity } from "./SessionActivity.js"
import { Durable } from "./SessionEvent.js"
import { Timestamp } from "./Timestamp.js"

/** Which sessions' changes are reported. */
export const ChangesQuery = Schema.Struct({ owner: Schema.optional(Owner) }).annotations({ identifier: "ChangesQuery" })
export type ChangesQuery = Named<typeof ChangesQuery.Type>

const isOfChange = (type: Durable["type"]): type is Exclude<Durable["type"], "session.deleted"> =>
  type !== "session.deleted"

/** The type of a session's newest durable event. */
export const ChangeKind = Schema.Union(...Durable.members.map(({ fields }) => fields.type)).pipe(
  Schema.filter(isOfChange)
)
export type ChangeKind = typeof ChangeKind.Type

/** A session has changed. `kind`, `cursor`, `updatedAt` and `activity` are current; changed metadata has no event. */
const SessionChanged = Schema.Struct({
  kind: ChangeKind,
  sessionId: SessionId,
  cursor: Cursor,
  updatedAt: Timestamp,
  activity: SessionActivity
}).annotations({ identifier: "SessionChangedHint" })

/**
 * - `session.deleted`: the session can no longer be found.
 * - `gap`: something may have changed without a hint. Load the list.
 */
export const SessionHint = Schema.Union(
  SessionChanged,
  Schema.Struct({ kind: Schema.Literal("session.deleted"), sessionId: SessionId }).annotations({
    identifier: "SessionDeletedHint"
  }),
  Schema.Struct({ kind: Schema.Literal("gap") }).annotations({ identifier: "GapHint" })
).annotations({ identifier: "SessionHint" })
export type SessionHint = NamedUnion<typeof SessionHint.Type>
