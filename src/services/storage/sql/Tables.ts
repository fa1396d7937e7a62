/**
 * Each table of the newest schema, once: its columns with their Schemas, its key, the column of its session, and what a
 * repair does to a damaged row. Statements take their columns from here, a deletion its tables, the doctor its checks.
 *
 * Not here: SQL types, defaults, constraints and indexes, which are in `schema/`; rules between columns or rows, such
 * as that a running run has an engine; the generated column `messages.cursor`.
 */
import { Schema } from "effect"
import { Actor } from "../../../domain/Actor.js"
import { AgentName } from "../../../domain/AgentName.js"
import * as Asset from "../../../domain/Asset.js"
import { CallDisplay, isNone, none as noDisplay } from "../../../domain/CallDisplay.js"
import { EngineId, Sign } from "../../../domain/Lease.js"
import { Draft } from "../../../domain/Live.js"
import { CallId } from "../../../domain/Message.js"
import { Placement } from "../../../domain/Placement.js"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId, State } from "../../../domain/Run.js"
import * as Stored from "../../../domain/Stored.js"
import { none, Takeovers } from "../../../domain/Takeover.js"
import * as Title from "../../../domain/Title.js"
import { Cursor, Owner, Seq, SessionId } from "../../../domain/Session.js"
import { Total } from "../../../domain/Usage.js"
import * as CursorFloor from "./CursorFloor.js"
import { JsonObject } from "./Decoding.js"
import { table } from "./Table.js"

/** The small number by which rows refer to a session or a run. */
const Ordinal = Schema.NonNegativeInt

/** An ordinal that no row of a table has. */
const freeOrdinal = (table: string) => ({
  sql: `(SELECT 1 + coalesce(max(ordinal), 0) FROM ${table} WHERE ordinal BETWEEN 0 AND ${CursorFloor.highest})`
})

const Flag = Schema.transform(Schema.Int, Schema.Boolean, {
  strict: true,
  decode: (stored) => stored === 1,
  encode: (flag) => (flag ? 1 : 0)
})

/** The column holds no null: an empty text stands for no folder. */
const Folder = Schema.transform(Schema.String, Schema.NullOr(Schema.String), {
  strict: true,
  decode: (stored) => (stored === "" ? null : stored),
  encode: (folder) => folder ?? ""
})

const optional = <A, I>(schema: Schema.Schema<A, I>) => ({ schema: Schema.NullOr(schema), least: null })

const usage = {
  steps: { schema: Total.fields.steps, least: 0 },
  unknownSteps: { schema: Total.fields.unknownSteps, least: 0 },
  inputTokens: { schema: Total.fields.inputTokens, least: 0 },
  outputTokens: { schema: Total.fields.outputTokens, least: 0 },
  reasoningTokens: { schema: Total.fields.reasoningTokens, least: 0 },
  cachedInputTokens: { schema: Total.fields.cachedInputTokens, least: 0 },
  costMicroUsd: { schema: Total.fields.costMicroUsd, least: 0 }
}

/** The columns of a sum of usage, of a session or a run. */
export const usageNames = [
  "steps",
  "unknownSteps",
  "inputTokens",
  "outputTokens",
  "reasoningTokens",
  "cachedInputTokens",
  "costMicroUsd"
] as const satisfies ReadonlyArray<keyof typeof usage>

/** Null when a call's tool says nothing about it. */
const display = {
  schema: Schema.transform(Schema.NullOr(Schema.parseJson(Stored.CallDisplay)), Schema.typeSchema(CallDisplay), {
    strict: true,
    decode: (stored) => stored ?? noDisplay,
    encode: (shown) => (isNone(shown) ? null : shown)
  }),
  least: null
}

/** An engine that every host takes for dead: no host has ever had this boot. */
const nobody = { bootId: "none", pidNamespace: "none", pid: 1, startTime: "none", instance: "none" }

const damagedQuestion = { verdict: "deny", message: "the question was damaged", by: null }

const reset = "reset the fields that do not decode"

/** A session's own fields, and where it is: its head, its newest cursor, the time of its last change. */
export const sessionRows = table({
  name: "session_rows",
  key: ["ordinal"],
  session: "ordinal",
  hasRowid: true,
  isTransient: false,
  damage: { row: "session", remedy: reset },
  columns: {
    ordinal: { schema: Ordinal },
    id: { schema: SessionId },
    state: { schema: Schema.Literal("live", "deleting", "hidden"), least: "live" },
    fence: { schema: Schema.NonNegativeInt, least: 0 },
    firstCursor: { schema: Cursor, least: 1 },
    ...usage,
    createdAt: { schema: Schema.Int, least: 0 },
    updatedAt: { schema: Schema.Int, least: 0 },
    cursor: { schema: Cursor, least: 0 },
    named: { schema: Flag, least: 0 },
    title: { schema: Schema.String, least: Title.untitled },
    owner: optional(Owner),
    workdir: { schema: Folder, least: "" },
    model: optional(Schema.parseJson(Stored.ModelRef)),
    agent: optional(AgentName),
    placement: optional(Placement),
    parent: optional(SessionId),
    /** The last place that readers see; 0 while there is none. */
    head: { schema: Schema.NonNegativeInt, least: 0 },
    /**
     * The second of the last change, by which lists are ordered: so a session that changes often rarely moves in
     * indexes.
     */
    activeAt: { schema: Schema.Int, least: 0 },
    metadata: { schema: JsonObject, least: "{}" }
  }
})

export const runs = table({
  name: "runs",
  key: ["ordinal"],
  session: "session",
  hasRowid: true,
  isTransient: false,
  damage: { row: "run", remedy: `${reset}; a queued run whose message does not decode ends as failed` },
  columns: {
    ordinal: { schema: Ordinal, least: freeOrdinal("runs") },
    id: { schema: RunId, least: { sql: "'run_damaged_' || ordinal" } },
    session: { schema: Ordinal },
    state: { schema: State, least: "ended" },
    cursor: { schema: Cursor, least: 0 },
    stopReason: { schema: Schema.NullOr(Stored.StopReason), least: "failed" },
    detail: optional(Schema.String),
    ...usage,
    createdAt: { schema: Schema.Int, least: 0 },
    startedAt: optional(Schema.Int),
    endedAt: optional(Schema.Int),
    idempotencyKey: optional(Schema.String),
    hash: { schema: Schema.String, least: "" },
    engine: { schema: Schema.NullOr(Schema.parseJson(EngineId)), least: JSON.stringify(nobody) },
    metadata: { schema: JsonObject, least: "{}" },
    // Only while the run waits. A run that resumes has null here, so nothing can replace a damaged message.
    message: { schema: Schema.NullOr(Schema.parseJson(Stored.QueuedMessage)) },
    cancelRequested: { schema: Flag, least: 0 },
    releasedAt: optional(Schema.Int),
    takeovers: { schema: Takeovers.fields.count, least: 0 },
    takeoverHead: { schema: Takeovers.fields.head, least: none.head },
    /** The run that went on with this one after its end. */
    resumedBy: optional(Ordinal),
    /** The JSON Schema of the answer that was asked for. */
    output: optional(JsonObject),
    /** Who sent it. */
    actor: optional(Actor),
    /** Who first asked for its end, while another engine has it. */
    cancelledBy: optional(Actor)
  }
})

/** Appended messages and results of the open batch. Written once, never changed. */
export const messages = table({
  name: "messages",
  key: ["session", "seq"],
  session: "session",
  hasRowid: true,
  isTransient: false,
  damage: { row: "message", remedy: reset },
  columns: {
    session: { schema: Ordinal },
    seq: { schema: Seq },
    /** The newest event when the place was reserved. */
    follows: { schema: Cursor, least: 0 },
    mark: { schema: Schema.Int, least: 0 },
    run: optional(Ordinal),
    at: { schema: Schema.Int, least: 0 },
    role: { schema: Stored.Role },
    call: { schema: Schema.NullOr(CallId) },
    name: { schema: Schema.NullOr(Schema.String) },
    outcome: { schema: Schema.NullOr(Stored.Outcome) },
    body: { schema: Schema.parseJson(Stored.Message) },
    /** When a step began, or a result's call was started; null when that is unknown. */
    startedAt: optional(Schema.Int),
    /** The cursor of a call's `call.finished` event; null for what is not a result of one of Skein's own calls. */
    finished: optional(Cursor),
    /** How a result's call is shown. */
    display,
    actor: optional(Actor)
  }
})

/** The open batch's calls without a result. */
export const calls = table({
  name: "calls",
  key: ["session", "seq"],
  session: "session",
  hasRowid: false,
  isTransient: false,
  damage: { row: "open call", remedy: reset },
  columns: {
    session: { schema: Ordinal },
    seq: { schema: Seq },
    position: { schema: Schema.NonNegativeInt, least: 0 },
    follows: { schema: Cursor, least: 0 },
    state: { schema: Schema.Literal("pending", "started"), least: "started" },
    id: { schema: CallId },
    name: { schema: Schema.String },
    question: { schema: Schema.NullOr(QuestionId), least: null },
    startedAt: optional(Schema.Int),
    display
  }
})

export const questions = table({
  name: "questions",
  key: ["ordinal"],
  session: "session",
  hasRowid: true,
  isTransient: false,
  damage: { row: "question", remedy: "answer it with a denial" },
  columns: {
    ordinal: { schema: Ordinal, least: freeOrdinal("questions") },
    id: { schema: QuestionId },
    session: { schema: Ordinal },
    run: { schema: Ordinal },
    seq: { schema: Seq },
    call: { schema: CallId },
    tool: { schema: Schema.String, least: "" },
    access: { schema: Stored.Access, least: "write" },
    askedAt: { schema: Schema.Int, least: 0 },
    verdict: { schema: Schema.NullOr(Stored.Verdict), least: damagedQuestion.verdict },
    answer: { schema: Schema.NullOr(Schema.parseJson(Stored.Answer)), least: JSON.stringify(damagedQuestion) },
    input: { schema: Schema.parseJson(Schema.String), least: '""' },
    display
  }
})

/** The tools that may be used without a question for the rest of the session. */
export const grants = table({
  name: "grants",
  key: ["session", "tool"],
  session: "session",
  hasRowid: false,
  isTransient: false,
  damage: { row: "grant", remedy: "remove it; the tool is asked about again" },
  columns: { session: { schema: Ordinal }, tool: { schema: Schema.String } }
})

/** What running steps have written so far. */
export const drafts = table({
  name: "drafts",
  key: ["session"],
  session: "session",
  hasRowid: true,
  isTransient: true,
  damage: { row: "draft", remedy: "remove it" },
  columns: {
    session: { schema: Ordinal },
    run: { schema: Ordinal },
    seq: { schema: Seq },
    body: { schema: Schema.parseJson(Draft) }
  }
})

/** All events except those of messages that were appended immediately, which have no row of their own. */
export const eventRows = table({
  name: "event_rows",
  key: ["session", "cursor"],
  session: "session",
  hasRowid: false,
  isTransient: false,
  damage: { row: "event", remedy: "make clients load the session again" },
  columns: {
    session: { schema: Ordinal },
    cursor: { schema: Cursor },
    mark: { schema: Schema.Int, least: 0 },
    at: { schema: Schema.Int, least: 0 },
    type: { schema: Schema.String, least: "" },
    run: optional(Ordinal),
    seq: optional(Seq),
    ref: optional(Schema.String),
    actor: optional(Actor)
  }
})

export const assets = table({
  name: "assets",
  key: ["ordinal"],
  session: "session",
  hasRowid: true,
  isTransient: false,
  damage: { row: "asset", remedy: "treat it as deleted" },
  columns: {
    ordinal: { schema: Ordinal, least: freeOrdinal("assets") },
    session: { schema: Ordinal },
    id: { schema: Asset.AssetId },
    name: { schema: Asset.Asset.fields.name, least: null },
    mediaType: { schema: Schema.NonEmptyString, least: "application/octet-stream" },
    size: { schema: Asset.Asset.fields.size },
    sha256: { schema: Asset.Asset.fields.sha256 },
    createdAt: { schema: Schema.Int }
  }
})

/** The places of messages that were appended under an idempotency key. */
export const appendKeys = table({
  name: "append_keys",
  key: ["session", "key"],
  session: "session",
  hasRowid: false,
  isTransient: false,
  damage: { row: "key of appended messages", remedy: "remove it; a retry under the key appends again" },
  columns: {
    session: { schema: Ordinal },
    key: { schema: Schema.String },
    hash: { schema: Schema.String },
    first: { schema: Seq },
    last: { schema: Seq }
  }
})

/** The signs of life of engines. */
export const engines = table({
  name: "engines",
  key: ["instance"],
  session: null,
  hasRowid: false,
  isTransient: true,
  damage: { row: "engine", remedy: "remove it; its next sign of life makes a new one" },
  columns: {
    instance: { schema: Schema.String },
    count: { schema: Schema.Int },
    clock: { schema: Sign.fields.clock },
    at: { schema: Sign.fields.at },
    leaseMillis: { schema: Schema.Int },
    /** When its newest sign was stored. */
    seenAt: { schema: Schema.Int }
  }
})

/** The mark of each lane's newest commit that left no mark on a row. */
const lanes = table({
  name: "lanes",
  key: ["id"],
  session: null,
  hasRowid: false,
  isTransient: true,
  damage: { row: "lane", remedy: "remove it; its next commit makes a new one" },
  columns: { id: { schema: Schema.String }, mark: { schema: Schema.Int }, at: { schema: Schema.Int } }
})

/** One row for the whole database. */
export const meta = table({
  name: "meta",
  key: ["id"],
  session: null,
  hasRowid: true,
  isTransient: false,
  damage: { row: "row of the whole database", remedy: reset },
  columns: {
    id: { schema: Schema.Literal(1), least: 1 },
    /** A new session's cursors begin after it. */
    cursorFloor: {
      schema: Cursor.pipe(Schema.lessThanOrEqualTo(CursorFloor.highest)),
      least: { sql: CursorFloor.afterAll }
    },
    prunedAt: { schema: Schema.Int, least: 0 },
    prunedUpTo: { schema: Ordinal, least: 0 },
    /** The number of sessions hidden and of imports finished so far, which no session's row shows. */
    deletions: { schema: Schema.NonNegativeInt, least: 0 }
  }
})

/** All tables, in the order in which a deletion empties them: messages first, what others refer to last. */
export const tables = [
  messages,
  calls,
  questions,
  grants,
  drafts,
  assets,
  eventRows,
  appendKeys,
  runs,
  sessionRows,
  engines,
  lanes,
  meta
] as const
