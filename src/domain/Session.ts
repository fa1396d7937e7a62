/** A session: the unit that is kept, ordered, watched and deleted. */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import { AgentName } from "./AgentName.js"
import { id } from "./Id.js"
import { JsonRecord } from "./Json.js"
import * as SafeText from "./SafeText.js"
import { ModelRef } from "./ModelRef.js"
import { Placement } from "./Placement.js"
import { Timestamp } from "./Timestamp.js"
import { Total } from "./Usage.js"

/** Identifies a session. */
export const SessionId = id("SessionId")
export type SessionId = typeof SessionId.Type

/** The user whom a session belongs to, as the host names users. */
export const Owner = Schema.NonEmptyString.pipe(
  Schema.maxLength(256),
  Schema.filter(SafeText.isStorable, {
    description: "a text of 1 to 256 characters without NUL or half surrogate pairs"
  }),
  Schema.brand("Owner")
)
export type Owner = typeof Owner.Type

/** A message's place in its transcript: 1, 2, 3 …, without gaps, never reused or renumbered. */
export const Seq = Schema.Int.pipe(Schema.positive(), Schema.brand("Seq"))
export type Seq = typeof Seq.Type

/** A durable event's number in its session. Consecutive, and never reused, not even by a later session of the same id. */
export const Cursor = Schema.NonNegativeInt.pipe(Schema.brand("Cursor"))
export type Cursor = typeof Cursor.Type

/** A session's own row: everything but its transcript. */
export const Session = Schema.Struct({
  id: SessionId,
  title: Schema.String,
  /** Whether somebody named it. Until then its first message may set the title. */
  named: Schema.Boolean,
  /** Null for a session that belongs to nobody. */
  owner: Schema.NullOr(Owner),
  /** Absolute path of the folder that the session works in; null for a session without one. */
  workdir: Schema.NullOr(Schema.String),
  /** Only engines that serve this placement run the session; null for all engines. It never changes. */
  placement: Schema.NullOr(Placement),
  /** The session that this one was created under; null when there is none. It may have been deleted since. */
  parent: Schema.NullOr(SessionId),
  /** Null leaves the choice to the host's `Agents`. */
  agent: Schema.NullOr(AgentName),
  /** Null leaves the choice to the agent's models. */
  model: Schema.NullOr(ModelRef),
  metadata: JsonRecord,
  usage: Total,
  /** The transcript's last place, and so its number of messages. 0 when it is empty. */
  head: Schema.NonNegativeInt,
  /** The newest durable event. */
  cursor: Cursor,
  createdAt: Timestamp,
  updatedAt: Timestamp
}).annotations({ identifier: "Session" })
export type Session = Named<typeof Session.Type, { readonly usage: Total; readonly model: ModelRef | null }>

export { SessionId as Id }
