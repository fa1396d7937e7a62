/**
 * The events of a session.
 *
 * - A durable event has a `cursor` and was committed together with the change that it reports. When it is replayed, it
 *   shows today's values. Its `actor` is whoever asked for the change; null for what a run, the engine or a deletion
 *   did, and when nobody said. The events of a run's start have its sender as actor, whenever it starts.
 * - An ephemeral event has no cursor of its own: `after` names the durable event that it follows.
 * - A delta carries its offset in the text so far. A late watcher gets one delta from offset 0. After a `run.retrying` or
 *   a `run.released` the text begins again.
 * - `other`: an event of another version of Skein, of a type that this one does not know.
 * - `run.released`: the run's engine was closed, or it died and the run is continued. The run goes on from its
 *   transcript.
 */
import { Schema, String } from "effect"
import type { NamedUnion } from "./Named.js"
import { Actor } from "./Actor.js"
import { AgentName } from "./AgentName.js"
import * as ExactCheck from "./ExactCheck.js"
import { AssetId } from "./Asset.js"
import { CallDisplay } from "./CallDisplay.js"
import { CallId, Entry, Outcome, Role } from "./Message.js"
import { ModelRef } from "./ModelRef.js"
import { AnyVerdict, Question, QuestionId } from "./Permission.js"
import { RunId, StopReason } from "./Run.js"
import { Cursor, Seq, SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"
import { Total } from "./Usage.js"

/** The name of an event's Schema: `RunEndedEvent` of "run.ended". */
const nameOf = (type: string): string => `${type.split(".").map(String.capitalize).join("")}Event`

const durable = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({
    type: Schema.Literal(type),
    sessionId: SessionId,
    cursor: Cursor,
    at: Timestamp,
    actor: Schema.NullOr(Actor),
    ...fields
  }).annotations({ identifier: nameOf(type) })

const ephemeral = <const Type extends string, Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({
    type: Schema.Literal(type),
    sessionId: SessionId,
    after: Cursor,
    runId: RunId,
    ...fields
  }).annotations({ identifier: nameOf(type) })

/** `seq` is the place of the call's result. */
const ofQuestion = { runId: RunId, callId: CallId, seq: Seq, questionId: QuestionId }

const ofCall = { runId: RunId, callId: CallId, seq: Seq, name: Schema.String }

/** The message that the event is about, for subscriptions with entries. */
const entry = Schema.optionalWith(Entry, { exact: true })

/** Events that are committed. Each has a cursor of its own, without gaps, and can be replayed. */
export const Durable = Schema.Union(
  durable("session.created", { title: Schema.String }),
  durable("session.renamed", { title: Schema.String }),
  durable("session.model", { model: Schema.NullOr(ModelRef) }),
  durable("session.agent", { agent: Schema.NullOr(AgentName) }),
  durable("session.moved", { workdir: Schema.NullOr(Schema.String) }),
  durable("session.deleted", {}),
  durable("run.queued", { runId: RunId }),
  durable("run.started", { runId: RunId }),
  durable("run.released", { runId: RunId }),
  durable("run.ended", {
    runId: RunId,
    stopReason: StopReason,
    detail: Schema.NullOr(Schema.String),
    usage: Total
  }),
  durable("message.appended", { runId: Schema.NullOr(RunId), seq: Seq, role: Role, entry }),
  durable("call.started", { ...ofCall, display: CallDisplay }),
  durable("call.finished", { ...ofCall, outcome: Outcome, display: CallDisplay, entry }),
  durable("permission.asked", {
    ...ofQuestion,
    tool: Schema.String,
    display: CallDisplay,
    /** The question, for subscriptions with entries. */
    question: Schema.optionalWith(Question, { exact: true })
  }),
  durable("permission.answered", {
    ...ofQuestion,
    verdict: AnyVerdict,
    /** Who answered, as the host names people; null when nobody said. */
    by: Schema.NullOr(Schema.String)
  }),
  durable("asset.saved", { assetId: AssetId }),
  durable("asset.deleted", { assetId: AssetId }),
  durable("other", { unknownType: Schema.String, runId: Schema.NullOr(RunId), seq: Schema.NullOr(Seq) })
).annotations({ identifier: "DurableEvent" })
export type Durable = NamedUnion<typeof Durable.Type>

/** `seq` is the place that the message being written will have. */
const delta = { seq: Seq, offset: Schema.NonNegativeInt, text: Schema.String }

/** Events about what is not stored yet: watchers get them, and they are not replayed. */
export const Ephemeral = Schema.Union(
  ephemeral("text.delta", delta),
  ephemeral("reasoning.delta", delta),
  /** The model is writing the `index`-th call of the step. */
  ephemeral("call.arguments", { ...delta, index: Schema.NonNegativeInt, callId: CallId, name: Schema.String }),
  ephemeral("call.progress", { callId: CallId, text: Schema.String }),
  ephemeral("run.retrying", { attempt: Schema.Int, delayMillis: Schema.Finite, reason: Schema.String })
).annotations({ identifier: "EphemeralEvent" })
export type Ephemeral = NamedUnion<typeof Ephemeral.Type>

/** What clients are told about a session. */
export const SessionEvent = Schema.Union(Durable, Ephemeral).annotations({ identifier: "SessionEvent" })
export type SessionEvent = Durable | Ephemeral
/** The kinds of events. */
export type Type = SessionEvent["type"]
/** The events of one kind. */
export type OfType<T extends Type> = Extract<SessionEvent, { readonly type: T }>

/** A refinement by type: `Stream.filter(SessionEvent.is("call.finished"))`. */
export const is =
  <T extends Type>(type: T) =>
  (event: SessionEvent): event is OfType<T> =>
    event.type === type

/** Whether the event was committed, and so has a cursor. */
export const isDurable = (event: SessionEvent): event is Durable => "cursor" in event

const encode = ExactCheck.toJson(SessionEvent)

/** The JSON of events that are still in memory: all watchers of a session get the same event objects. */
const encoded = new WeakMap<SessionEvent, string>()

/** One line of JSON. An event is encoded once, however often it is asked for. */
export const toJson = (event: SessionEvent): string => {
  const known = encoded.get(event)
  if (known !== undefined) return known
  const json = encode(event)
  encoded.set(event, json)
  return json
}

/** One server-sent event: `id` is the cursor and absent for ephemeral events, `event` the type, `data` one line of JSON. */
export const toSse = (event: SessionEvent): string =>
  `${isDurable(event) ? `id: ${event.cursor}\n` : ""}event: ${event.type}\ndata: ${toJson(event)}\n\n`
