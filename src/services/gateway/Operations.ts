/**
 * The one list of the Gateway's operations: what each takes, whose it is, what it returns and what it fails with. Input
 * checks, spans and `Gateway.forOwner` are made from this list, and so is everything else that offers the Gateway.
 *
 * `whose` says which id in the payload ties the operation to one session: the id of the session, of a run or of a
 * question. An operation of `all` has no such id; its own rule in `forOwner` keeps it to one owner's sessions.
 */
import { Either, Predicate, Schema } from "effect"
import { Asset, AssetId } from "../../domain/Asset.js"
import { ForeignMessage } from "../../domain/ForeignMessage.js"
import { Limits } from "../../domain/Limits.js"
import { Entry } from "../../domain/Message.js"
import { OfferedAgent } from "../../domain/Offer.js"
import { Question, QuestionId } from "../../domain/Permission.js"
import { present } from "../../domain/Present.js"
import * as Refusal from "../../domain/Refusal.js"
import { IdempotencyKey, Ref, Run, RunId, RunQuery } from "../../domain/Run.js"
import { Session, SessionId } from "../../domain/Session.js"
import { SessionEvent } from "../../domain/SessionEvent.js"
import { ChangesQuery, SessionHint } from "../../domain/SessionHint.js"
import { SessionPage, SessionQuery } from "../../domain/SessionPage.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { TimelineRow } from "../../domain/Timeline.js"
import * as Replies from "./Replies.js"
import * as Requests from "./Requests.js"

/** The ids in a payload that tie the operation to a session. */
export interface Ids {
  readonly session: { readonly sessionId: SessionId }
  readonly run: { readonly runId: RunId }
  readonly question: { readonly questionId: QuestionId }
  readonly all: object
}
export type Whose = keyof Ids

export type Access = "read" | "write"

/** Names of the payload's fields in the order in which the method takes them; null when it takes the payload itself. */
type Names<P> = ReadonlyArray<keyof P & string> | null

type ArgsOf<P, N extends Names<P>> =
  N extends ReadonlyArray<keyof P & string> ? { readonly [I in keyof N]: P[N[I] & keyof P] } : readonly [payload: P]

export interface Operation<
  W extends Whose,
  P extends Ids[W],
  Args extends ReadonlyArray<unknown>,
  A = unknown,
  E = unknown,
  IP = unknown,
  IA = unknown,
  IE = unknown
> {
  readonly name: string
  readonly whose: W
  /** Whether it changes anything. */
  readonly access: Access
  readonly payload: Schema.Schema<P, IP>
  readonly arguments: ReadonlyArray<string> | null
  readonly success: Schema.Schema<A, IA>
  readonly error: Schema.Schema<E, IE>
  /** Whether it returns a stream of successes instead of one. */
  readonly isStream: boolean
  /** Returns the checked payload of a call. A field that is undefined counts as absent. */
  readonly read: (...args: Args) => Either.Either<P, SkeinError.InvalidInput>
}

const fieldsOf = (payload: unknown): unknown => (Predicate.isReadonlyRecord(payload) ? present(payload) : payload)

const operation = <W extends Whose, P extends Ids[W], const N extends Names<P>, A, E, IP, IA, IE>(definition: {
  readonly name: string
  readonly whose: W
  readonly access: Access
  readonly payload: Schema.Schema<P, IP>
  readonly arguments: N
  readonly success: Schema.Schema<A, IA>
  readonly error: Schema.Schema<E, IE>
  readonly isStream?: true
}): Operation<W, P, ArgsOf<P, N>, A, E, IP, IA, IE> => {
  const check = Refusal.decoder(Schema.typeSchema(definition.payload))
  const names = definition.arguments
  return {
    isStream: false,
    ...definition,
    read: (...args) =>
      check(
        fieldsOf(names === null ? (args[0] ?? {}) : Object.fromEntries(names.map((name, index) => [name, args[index]])))
      )
  }
}

const ofSession = Schema.Struct({ sessionId: SessionId }).annotations({ identifier: "OfSession" })
const ofRun = Schema.Struct({ runId: RunId }).annotations({ identifier: "OfRun" })

/** `events` and `subscribe`: they differ in when the input is checked. */
const subscription = {
  whose: "session",
  access: "read",
  payload: Requests.EventRange,
  arguments: null,
  success: SessionEvent,
  error: SkeinError.Events,
  isStream: true
} as const

/**
 * Every operation by its name: the Schemas of what it takes, returns and fails with, for adapters that offer it over a
 * wire.
 */
export const operations = {
  agents: operation({
    name: "agents",
    whose: "all",
    access: "read",
    payload: Schema.Struct({}),
    arguments: [],
    success: Schema.Array(OfferedAgent),
    error: SkeinError.InvalidInput
  }),
  limits: operation({
    name: "limits",
    whose: "all",
    access: "read",
    payload: Schema.Struct({}),
    arguments: [],
    success: Limits,
    error: SkeinError.InvalidInput
  }),
  create: operation({
    name: "create",
    whose: "all",
    access: "write",
    payload: Requests.Create,
    arguments: null,
    success: Session,
    error: SkeinError.Create
  }),
  session: operation({
    name: "session",
    whose: "session",
    access: "read",
    payload: ofSession,
    arguments: ["sessionId"],
    success: Session,
    error: SkeinError.ReadSession
  }),
  sessions: operation({
    name: "sessions",
    whose: "all",
    access: "read",
    payload: SessionQuery,
    arguments: null,
    success: SessionPage,
    error: SkeinError.List
  }),
  transcript: operation({
    name: "transcript",
    whose: "session",
    access: "read",
    payload: Requests.TranscriptRange,
    arguments: null,
    success: Entry,
    error: SkeinError.ReadSession,
    isStream: true
  }),
  timeline: operation({
    name: "timeline",
    whose: "session",
    access: "read",
    payload: Requests.TranscriptRange,
    arguments: null,
    success: TimelineRow,
    error: SkeinError.ReadSession,
    isStream: true
  }),
  entry: operation({
    name: "entry",
    whose: "session",
    access: "read",
    payload: Requests.EntryPlace,
    arguments: null,
    success: Entry,
    error: SkeinError.ReadEntry
  }),
  send: operation({
    name: "send",
    whose: "session",
    access: "write",
    payload: Requests.Send,
    arguments: null,
    success: Ref,
    error: SkeinError.Send
  }),
  resume: operation({
    name: "resume",
    whose: "session",
    access: "write",
    payload: Schema.Struct({
      sessionId: SessionId,
      of: Schema.optional(Requests.ResumedRun)
    }).annotations({ identifier: "ResumeSession" }),
    arguments: ["sessionId", "of"],
    success: Ref,
    error: SkeinError.Resume
  }),
  recover: operation({
    name: "recover",
    whose: "all",
    access: "write",
    payload: Requests.Recover,
    arguments: null,
    success: Schema.Array(SessionId),
    error: SkeinError.Recover
  }),
  append: operation({
    name: "append",
    whose: "session",
    access: "write",
    payload: Schema.Struct({
      sessionId: SessionId,
      messages: Schema.Array(ForeignMessage),
      idempotencyKey: Schema.optional(IdempotencyKey)
    }).annotations({ identifier: "AppendMessages" }),
    arguments: ["sessionId", "messages", "idempotencyKey"],
    success: Schema.Array(Entry),
    error: SkeinError.Append
  }),
  cancel: operation({
    name: "cancel",
    whose: "run",
    access: "write",
    payload: ofRun,
    arguments: ["runId"],
    success: Schema.Void,
    error: SkeinError.Cancel
  }),
  patch: operation({
    name: "patch",
    whose: "session",
    access: "write",
    payload: Requests.Patch,
    arguments: null,
    success: Session,
    error: SkeinError.Change
  }),
  patchMany: operation({
    name: "patchMany",
    whose: "all",
    access: "write",
    payload: Requests.PatchMany,
    arguments: null,
    success: Schema.Array(Replies.SessionChange),
    error: SkeinError.ChangeMany
  }),
  delete: operation({
    name: "delete",
    whose: "session",
    access: "write",
    payload: ofSession,
    arguments: ["sessionId"],
    success: Schema.Void,
    error: SkeinError.Delete
  }),
  run: operation({
    name: "run",
    whose: "run",
    access: "read",
    payload: ofRun,
    arguments: ["runId"],
    success: Run,
    error: SkeinError.ReadRun
  }),
  runRef: operation({
    name: "runRef",
    whose: "run",
    access: "read",
    payload: ofRun,
    arguments: ["runId"],
    success: Ref,
    error: SkeinError.ReadRun
  }),
  runs: operation({
    name: "runs",
    whose: "session",
    access: "read",
    payload: RunQuery,
    arguments: null,
    success: Schema.Array(Run),
    error: SkeinError.ReadRuns
  }),
  await: operation({
    name: "await",
    whose: "run",
    access: "read",
    payload: Ref,
    arguments: null,
    success: Run,
    error: SkeinError.Await
  }),
  events: operation({ name: "events", ...subscription }),
  changes: operation({
    name: "changes",
    whose: "all",
    access: "read",
    payload: ChangesQuery,
    arguments: null,
    success: SessionHint,
    error: SkeinError.List,
    isStream: true
  }),
  /** The events, checked before the stream begins. */
  subscribe: operation({ name: "subscribe", ...subscription }),
  snapshot: operation({
    name: "snapshot",
    whose: "session",
    access: "read",
    payload: ofSession,
    arguments: ["sessionId"],
    success: Replies.Snapshot,
    error: SkeinError.ReadSession
  }),
  question: operation({
    name: "question",
    whose: "question",
    access: "read",
    payload: Schema.Struct({ questionId: QuestionId }).annotations({ identifier: "OfQuestion" }),
    arguments: ["questionId"],
    success: Question,
    error: SkeinError.ReadQuestion
  }),
  questions: operation({
    name: "questions",
    whose: "all",
    access: "read",
    payload: Requests.QuestionQuery,
    arguments: null,
    success: Schema.Array(Question),
    error: SkeinError.ReadSession
  }),
  answer: operation({
    name: "answer",
    whose: "question",
    access: "write",
    payload: Requests.Answer,
    arguments: null,
    success: Question,
    error: SkeinError.Answer
  }),
  /** The content is passed separately from the payload. */
  saveAsset: operation({
    name: "saveAsset",
    whose: "session",
    access: "write",
    payload: Requests.NewAsset,
    arguments: null,
    success: Asset,
    error: SkeinError.SaveAsset
  }),
  assets: operation({
    name: "assets",
    whose: "session",
    access: "read",
    payload: ofSession,
    arguments: ["sessionId"],
    success: Schema.Array(Asset),
    error: SkeinError.ReadSession
  }),
  openAsset: operation({
    name: "openAsset",
    whose: "session",
    access: "read",
    payload: Requests.AssetRange,
    arguments: null,
    success: Schema.Uint8ArrayFromSelf,
    error: SkeinError.OpenAsset,
    isStream: true
  }),
  deleteAsset: operation({
    name: "deleteAsset",
    whose: "session",
    access: "write",
    payload: Schema.Struct({ sessionId: SessionId, assetId: AssetId }).annotations({ identifier: "OfAsset" }),
    arguments: ["sessionId", "assetId"],
    success: Asset,
    error: SkeinError.DeleteAsset
  }),
  exportSessions: operation({
    name: "exportSessions",
    whose: "all",
    access: "read",
    payload: Requests.ExportSessions,
    arguments: null,
    success: Schema.String,
    error: SkeinError.Export,
    isStream: true
  }),
  /** The content is passed separately from the payload. */
  importSessions: operation({
    name: "importSessions",
    whose: "all",
    access: "write",
    payload: Requests.ImportSessions,
    arguments: null,
    success: Schema.Array(Replies.ImportedSession),
    error: SkeinError.Import
  })
}
