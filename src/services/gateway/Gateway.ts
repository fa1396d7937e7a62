/**
 * Gateway: the one entry for clients. It validates, then routes: reads go to the snapshot reader, every change to the
 * Runtime and so through the session's boundary. Its layer's type has no `Storage`: there is no other way to a change.
 */
import { Context, Effect, Option, Schema, Stream } from "effect"
import { type Asset, AssetId } from "../../domain/Asset.js"
import { JsonRecord } from "../../domain/Json.js"
import type { Live } from "../../domain/Live.js"
import type { Entry, Message } from "../../domain/Message.js"
import { ModelRef } from "../../domain/ModelRef.js"
import { type Question, QuestionId, Verdict } from "../../domain/Permission.js"
import type { Ref, Run, RunId } from "../../domain/Run.js"
import { Owner, type Session, SessionId } from "../../domain/Session.js"
import * as SafeText from "../../domain/SafeText.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import * as SkeinError from "../../domain/SkeinError.js"
import type { OpenBatch, OpenCall, SessionPage, SessionQuery } from "../storage/Storage.js"

export type { Live, OpenBatch, OpenCall, SessionPage, SessionQuery }

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** `Gateway.create`. Without an id, a new one is made; without a title, the first message gives it. */
export const Create = Schema.Struct({
  id: optional(SessionId),
  title: optional(Schema.String),
  owner: optional(Owner),
  /** Absolute path of the folder that the session works in. */
  workdir: Schema.String.pipe(
    Schema.filter((path) => /^([/\\]|[A-Za-z]:[/\\])/.test(path) && SafeText.isStorable(path), {
      description: "an absolute path"
    })
  ),
  model: optional(ModelRef),
  metadata: optional(JsonRecord)
})
export type Create = typeof Create.Type

/** `Gateway.send`: a text, files by asset id, or both. */
export const Send = Schema.Struct({
  sessionId: SessionId,
  text: Schema.String,
  files: optional(
    Schema.Array(Schema.Struct({ assetId: AssetId, mediaType: Schema.String, name: optional(Schema.String) }))
  ),
  /** What tools can read of who asks. */
  metadata: optional(JsonRecord),
  /** Makes a retry harmless: the same key and message stand for one run, 1 to 256 characters. */
  idempotencyKey: optional(Schema.NonEmptyString.pipe(Schema.maxLength(256))),
  /** What to do when a run holds the session. Defaults to "refuse". */
  whenBusy: optional(Schema.Literal("refuse", "queue"))
})
export type Send = typeof Send.Type

/** `Gateway.answer`. */
export const Answer = Schema.Struct({
  questionId: QuestionId,
  verdict: Verdict,
  /** Why, for the model. */
  message: optional(Schema.String),
  /** Who answers, as the host names people. */
  by: optional(Schema.String)
})
export type Answer = typeof Answer.Type

export interface EventRange {
  readonly sessionId: SessionId
  /** The last event that the client has; 0 for none. */
  readonly after: number
}

/** A running session as it stands, and the cursor from which events go on. */
export interface Snapshot {
  readonly session: Session
  readonly cursor: Session["cursor"]
  /** The run that holds the session; `crashed` when its engine is known to be dead or has lost its lease. */
  readonly run: Option.Option<{ readonly run: Run; readonly crashed: boolean }>
  readonly queued: ReadonlyArray<Run>
  readonly batch: OpenBatch
  readonly questions: ReadonlyArray<Question>
  /** What the running step has written so far; of a run elsewhere as it was within the last second. */
  readonly live: Option.Option<Live>
}

/** What became of one session when many were asked to change. */
export type ModelChange =
  | { readonly _tag: "Changed"; readonly session: Session }
  | { readonly _tag: "Failed"; readonly sessionId: SessionId; readonly error: SkeinError.Change }

export interface Service {
  /** Makes a session. */
  readonly create: (input: Create) => Effect.Effect<Session, SkeinError.Create>
  readonly get: (sessionId: SessionId) => Effect.Effect<Session, SkeinError.SessionNotFound | SkeinError.Read>
  /** Newest first, page by page. */
  readonly list: (query?: SessionQuery) => Effect.Effect<SessionPage, SkeinError.InvalidInput | SkeinError.Read>
  /** The transcript in `seq` order, whole or from place `from` to place `to`. */
  readonly transcript: (range: {
    readonly sessionId: SessionId
    readonly from?: number
    readonly to?: number
  }) => Stream.Stream<Entry, SkeinError.SessionNotFound | SkeinError.Read>
  /** Stores a message and answers at once with the run that it starts, or that waits for its turn. */
  readonly send: (input: Send) => Effect.Effect<Ref, SkeinError.Send>
  /** Goes on from the transcript as it is, without a new message: after a crash, say. */
  readonly resume: (sessionId: SessionId) => Effect.Effect<Ref, SkeinError.Send>
  /** Appends messages outside any run, such as a transcript from elsewhere. */
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<Message>
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Change | SkeinError.AppendRefused | SkeinError.SessionBusy>
  /** Stops a run, or takes it from the queue. Returns when its end is stored. */
  readonly cancel: (runId: RunId) => Effect.Effect<void, SkeinError.Cancel>
  readonly rename: (sessionId: SessionId, title: string) => Effect.Effect<Session, SkeinError.Change>
  /** The model from the next step on; null leaves the choice to the host. */
  readonly setModel: (sessionId: SessionId, model: ModelRef | null) => Effect.Effect<Session, SkeinError.Change>
  /** The same for many sessions, one by one; says of each what became of it. */
  readonly setModels: (
    sessionIds: ReadonlyArray<SessionId>,
    model: ModelRef | null
  ) => Effect.Effect<ReadonlyArray<ModelChange>>
  /** Sets metadata fields, removes those that are null, leaves all others. */
  readonly patchMetadata: (sessionId: SessionId, patch: JsonRecord) => Effect.Effect<Session, SkeinError.Change>
  /** Stops the session's run, then removes all that belongs to it. */
  readonly delete: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  readonly run: (runId: RunId) => Effect.Effect<Run, SkeinError.RunNotFound | SkeinError.Read>
  /** Waits for a run's end. */
  readonly await: (ref: Ref) => Effect.Effect<Run, SkeinError.RunNotFound | SkeinError.Read>
  /** Events after a cursor, 0 for the oldest: replay, then live. Ends with `session.deleted` when the session is gone. */
  readonly events: (range: EventRange) => Stream.Stream<SessionEvent, SkeinError.Events>
  readonly snapshot: (sessionId: SessionId) => Effect.Effect<Snapshot, SkeinError.SessionNotFound | SkeinError.Read>
  readonly question: (questionId: QuestionId) => Effect.Effect<Question, SkeinError.QuestionNotFound | SkeinError.Read>
  /** Questions that wait for an answer, of one session or of all, oldest first. */
  readonly questions: (
    sessionId?: SessionId
  ) => Effect.Effect<ReadonlyArray<Question>, SkeinError.SessionNotFound | SkeinError.Read>
  /** Answers a question. The first answer counts. */
  readonly answer: (
    input: Answer
  ) => Effect.Effect<Question, SkeinError.Change | SkeinError.QuestionNotFound | SkeinError.QuestionAnswered>
  /** Keeps a file with a session. */
  readonly saveAsset: <E = never>(input: {
    readonly sessionId: SessionId
    readonly name?: string
    readonly mediaType: string
    readonly content: Stream.Stream<Uint8Array, E>
  }) => Effect.Effect<Asset, SkeinError.Change | SkeinError.AssetFailed | E>
  readonly assets: (
    sessionId: SessionId
  ) => Effect.Effect<ReadonlyArray<Asset>, SkeinError.SessionNotFound | SkeinError.Read>
  /** An asset's content, whole or `length` bytes from `offset`. */
  readonly openAsset: (input: {
    readonly sessionId: SessionId
    readonly assetId: AssetId
    readonly offset?: number
    readonly length?: number
  }) => Stream.Stream<
    Uint8Array,
    SkeinError.AssetNotFound | SkeinError.AssetFailed | SkeinError.InvalidInput | SkeinError.Read
  >
  readonly deleteAsset: (
    sessionId: SessionId,
    assetId: AssetId
  ) => Effect.Effect<Asset, SkeinError.Change | SkeinError.AssetNotFound | SkeinError.AssetFailed>
}

export class Gateway extends Context.Tag("skein/Gateway")<Gateway, Service>() {}

/**
 * The same methods, narrowed to one owner's sessions: another owner's session, run or question is not found, as one that
 * is not there. Sessions are created for the owner, lists hold the owner's only.
 */
export const forOwner = (owner: Owner): Effect.Effect<Service, never, Gateway> =>
  Effect.map(Gateway, (gateway): Service => {
    const own = (sessionId: SessionId) =>
      Effect.flatMap(gateway.get(sessionId), (session) =>
        Option.contains(session.owner, owner) ? Effect.succeed(session) : new SkeinError.SessionNotFound({ sessionId })
      )
    const ofRun = (runId: RunId) =>
      Effect.flatMap(gateway.run(runId), (run) =>
        Effect.mapError(Effect.as(own(run.sessionId), run), (error) =>
          error._tag === "SessionNotFound" ? new SkeinError.RunNotFound({ runId }) : error
        )
      )
    const ofQuestion = (questionId: QuestionId) =>
      Effect.flatMap(gateway.question(questionId), ({ sessionId }) =>
        Effect.mapError(own(sessionId), (error) =>
          error._tag === "SessionNotFound" ? new SkeinError.QuestionNotFound({ questionId }) : error
        )
      )
    const after = <A, E, R>(check: Effect.Effect<unknown, E, R>, stream: Stream.Stream<A, E, R>) =>
      Stream.unwrap(Effect.as(check, stream))
    return {
      create: (input) => gateway.create({ ...input, owner }),
      get: own,
      list: (query) => gateway.list({ ...query, owner }),
      transcript: (range) => after(own(range.sessionId), gateway.transcript(range)),
      send: (input) => Effect.zipRight(own(input.sessionId), gateway.send(input)),
      resume: (sessionId) => Effect.zipRight(own(sessionId), gateway.resume(sessionId)),
      append: (sessionId, messages) => Effect.zipRight(own(sessionId), gateway.append(sessionId, messages)),
      cancel: (runId) => Effect.zipRight(ofRun(runId), gateway.cancel(runId)),
      rename: (sessionId, title) => Effect.zipRight(own(sessionId), gateway.rename(sessionId, title)),
      setModel: (sessionId, model) => Effect.zipRight(own(sessionId), gateway.setModel(sessionId, model)),
      setModels: (sessionIds, model) =>
        Effect.map(
          Effect.forEach(sessionIds, (sessionId) =>
            Effect.matchEffect(own(sessionId), {
              onSuccess: () => gateway.setModels([sessionId], model),
              onFailure: (error) => Effect.succeed<ReadonlyArray<ModelChange>>([{ _tag: "Failed", sessionId, error }])
            })
          ),
          (changes) => changes.flat()
        ),
      patchMetadata: (sessionId, patch) => Effect.zipRight(own(sessionId), gateway.patchMetadata(sessionId, patch)),
      delete: (sessionId) => Effect.zipRight(own(sessionId), gateway.delete(sessionId)),
      run: ofRun,
      await: (ref) => Effect.zipRight(ofRun(ref.runId), gateway.await(ref)),
      events: (range) => after(own(range.sessionId), gateway.events(range)),
      snapshot: (sessionId) => Effect.zipRight(own(sessionId), gateway.snapshot(sessionId)),
      question: (questionId) => Effect.zipRight(ofQuestion(questionId), gateway.question(questionId)),
      questions: (sessionId) =>
        sessionId === undefined
          ? Effect.flatMap(gateway.questions(), (questions) =>
              Effect.filter(questions, (question) =>
                Effect.match(own(question.sessionId), { onSuccess: () => true, onFailure: () => false })
              )
            )
          : Effect.zipRight(own(sessionId), gateway.questions(sessionId)),
      answer: (input) => Effect.zipRight(ofQuestion(input.questionId), gateway.answer(input)),
      saveAsset: (input) => Effect.zipRight(own(input.sessionId), gateway.saveAsset(input)),
      assets: (sessionId) => Effect.zipRight(own(sessionId), gateway.assets(sessionId)),
      openAsset: (input) => after(ownAsset(own, input), gateway.openAsset(input)),
      deleteAsset: (sessionId, assetId) => Effect.zipRight(own(sessionId), gateway.deleteAsset(sessionId, assetId))
    }
  })

/** Another owner's asset is not found, as one that is not there. */
const ownAsset = <E extends { readonly _tag: string }>(
  own: (sessionId: SessionId) => Effect.Effect<Session, E | SkeinError.SessionNotFound>,
  { assetId, sessionId }: { readonly sessionId: SessionId; readonly assetId: AssetId }
) => Effect.catchTag(own(sessionId), "SessionNotFound", () => new SkeinError.AssetNotFound({ sessionId, assetId }))
