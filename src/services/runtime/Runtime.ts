/**
 * Runtime: every change to a session, and its runs. Changes pass the session's boundary, which is held for the change
 * and never for a run. Runs go on in fibers of the engine, independent of their senders.
 *
 * Some changes do not pass it, because their one commit checks all that they need: saving and deleting an asset, which
 * take as long as the store of its file; taking a run from the queue; asking another engine to cancel a run; the portions
 * of an import; and taking over the run of a session whose deletion has begun.
 *
 * A session that a dead engine left behind is claimed (see `Claims`) when a client changes it. Nothing is repaired when
 * storage opens.
 */
import { Context, Effect, Exit, Layer, Option } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import * as CanonicalJson from "../../domain/CanonicalJson.js"
import type { Checked } from "../../domain/Checked.js"
import type { JsonRecord } from "../../domain/Json.js"
import type { Presence } from "../../domain/Lease.js"
import { type Entry, isFile, type Message, type UserMessage } from "../../domain/Message.js"
import type { Answer, Question, QuestionId } from "../../domain/Permission.js"
import { type EndedRun, type Ref, RunId } from "../../domain/Run.js"
import type { Owner, Session, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Actor from "../Actor.js"
import { endingSoon } from "../AtMost.js"
import { Assets } from "../assets/Assets.js"
import type { NewAsset } from "../assets/Saving.js"
import { EngineConfig } from "../EngineConfig.js"
import { afterText, EventLoop } from "../EventLoop.js"
import { Hashing } from "../Hashing.js"
import { Ids } from "../Ids.js"
import {
  type AdmissionOutcome,
  type NewSession,
  type Resumption,
  type SessionPatch,
  Storage,
  StorageReader
} from "../storage/Storage.js"
import { Outdated } from "../storage/Outdated.js"
import { Stretch } from "../Stretch.js"
import { Boundary } from "./Boundary.js"
import * as Claims from "./Claims.js"
import * as Closed from "./Closed.js"
import { Deletions } from "./Deletions.js"
import { Drivers } from "./Drivers.js"
import { type Import, type ImportedSession, Imports } from "./Imports.js"
import { Leases } from "./Leases.js"
import { Recovery } from "./Recovery.js"
import { Upkeep } from "./Upkeep.js"

interface Send {
  readonly sessionId: SessionId
  readonly message: Checked<UserMessage>
  readonly metadata: Checked<JsonRecord>
  readonly output: Checked<JsonRecord> | null
  readonly idempotencyKey: string | null
  readonly whenBusy: "refuse" | "queue"
}

/** An idempotency key, and the messages that it stands for as the client gave them. */
interface GivenKey {
  readonly key: string
  readonly given: ReadonlyArray<object>
}

type AssetSave = SkeinError.Change | SkeinError.AssetFailed

export interface Service {
  readonly create: (session: NewSession) => Effect.Effect<Session, SkeinError.Create>
  readonly patch: (sessionId: SessionId, patch: SessionPatch) => Effect.Effect<Session, SkeinError.Change>
  readonly append: (
    sessionId: SessionId,
    messages: ReadonlyArray<Checked<Message>>,
    key: GivenKey | null
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Append>
  /** Stores the run, starts it when the session is free, and returns without waiting for it. */
  readonly send: (send: Send) => Effect.Effect<Ref, SkeinError.Send>
  /** Goes on with a run that ended without an answer or was left behind, and returns without waiting for it. */
  readonly resume: (sessionId: SessionId, of: Resumption["of"]) => Effect.Effect<Ref, SkeinError.Resume>
  /** Claims sessions that were left behind; see `Recovery`. `limit` defaults to the engine's setting. */
  readonly recover: (
    limit: number | null,
    owner: Owner | null
  ) => Effect.Effect<ReadonlyArray<SessionId>, SkeinError.Read>
  /** Waits for a run's end, and claims its session when the engine that holds it is dead. */
  readonly await: (ref: Ref) => Effect.Effect<EndedRun, SkeinError.RunNotFound | SkeinError.Read>
  /**
   * Stops a run or takes it from the queue, and returns when its end is stored. Does nothing for a run that has ended.
   */
  readonly cancel: (runId: RunId) => Effect.Effect<void, SkeinError.Cancel>
  readonly answer: (
    questionId: QuestionId,
    answer: Answer
  ) => Effect.Effect<Question, SkeinError.Change | SkeinError.QuestionNotFound | SkeinError.QuestionAnswered>
  /**
   * Stops the session's run, then removes the session with all that belongs to it. Goes on even if the caller does not.
   */
  readonly delete: (sessionId: SessionId) => Effect.Effect<void, SkeinError.Delete>
  readonly saveAsset: <E>(asset: NewAsset<E, never>) => Effect.Effect<Asset, AssetSave | E>
  readonly deleteAsset: (
    sessionId: SessionId,
    assetId: AssetId
  ) => Effect.Effect<Asset, SkeinError.Change | SkeinError.AssetNotFound | SkeinError.AssetFailed>
  /** Imports sessions, all or none; see `Imports`. */
  readonly importSessions: <E>(input: Import<E>) => Effect.Effect<ReadonlyArray<ImportedSession>, SkeinError.Import | E>
  /** Finishes deletions that a dead engine began and removes files that belong to nothing. */
  readonly sweep: Effect.Effect<void, SkeinError.Delete>
}

export class Runtime extends Context.Tag("skein/Runtime")<Runtime, Service>() {}

/** A message without the types of its files: those of their assets count, as long as these are there. */
const withoutTypes = ({ parts, ...message }: UserMessage) => ({
  ...message,
  parts: parts.map((part) => (isFile(part) ? { ...part, mediaType: null } : part))
})

/** Texts that are hashed in one stretch, each with up to 100 items of a list. */
const textsInStretch = 8

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const hashing = yield* Hashing
  const ids = yield* Ids
  const leases = yield* Leases
  const drivers = yield* Drivers
  const boundary = yield* Boundary
  const claims = yield* Claims.Claims
  const deletions = yield* Deletions
  const imports = yield* Imports
  const upkeep = yield* Upkeep
  const recovery = yield* Recovery
  const { refusal } = yield* Outdated
  const { turn } = yield* EventLoop
  const nextText = (yield* Stretch).oneOf(textsInStretch)
  const { recoverRuns } = yield* EngineConfig
  const scope = yield* Effect.scope
  const orClosed = yield* Closed.orClosed
  const settle = (sessionId: SessionId) => orClosed(claims.settle(sessionId))

  /** Runs work in the scope of the engine, because it must not end with its caller. It ends with the engine. */
  const detached = <A, E>(operation: string, effect: Effect.Effect<A, E>) =>
    Effect.interruptible(endingSoon(effect)).pipe(
      Effect.forkIn(scope),
      Effect.flatMap((fiber) => Effect.disconnect(fiber.await)),
      Effect.filterOrFail(
        (exit) => !Exit.isInterrupted(exit),
        () => new SkeinError.StorageFailed({ operation, code: "CLOSED" })
      ),
      Effect.flatten
    )

  /** Makes a change within the session's boundary. The engine's first change also starts its upkeep. */
  const changing =
    (sessionId: SessionId) =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.zipRight(upkeep.start, boundary.hold(sessionId)(effect))

  /** The hash of texts that are one text together. */
  const hashOf = Effect.fnUntraced(function* (texts: () => Iterable<string>) {
    const digest = yield* hashing.sha256
    for (const text of texts()) {
      yield* afterText(turn, text)
      yield* digest.update(new TextEncoder().encode(text))
      yield* afterText(turn, text)
      yield* nextText
    }
    return yield* digest.hex
  })

  /** The hashes that stand for what was sent: SHA-256 of its canonical JSON, and of the texts as given. */
  const hashesOf = ({ idempotencyKey, message, metadata, output }: Send) => {
    // They are only compared when there is a key.
    if (idempotencyKey === null) return Effect.succeed({ hash: "", textHash: "" })
    // Without an output the hash is what it was before there were outputs.
    const rest = [metadata, ...(output === null ? [] : [output])]
    return Effect.all({
      hash: hashOf(() => CanonicalJson.pieces([withoutTypes(message.value), ...rest.map(({ value }) => value)])),
      textHash: hashOf(() => [`[${[message, ...rest].map(({ json }) => json).join(",")}]`])
    })
  }

  const appendKeyOf = ({ given, key }: GivenKey) =>
    Effect.map(
      hashOf(() => CanonicalJson.pieces(given)),
      (hash) => ({ key, hash })
    )

  /**
   * Claims the session unless the claimant is null, has storage begin a run, and drives it; all within the session's
   * boundary. With `goesOn` nothing begins if the claim goes on with a run, or starts one that waited: that run is returned.
   */
  const begin = <E>(
    sessionId: SessionId,
    claimant: Claims.Claimant | null,
    goesOn: boolean,
    admit: (presence: Presence) => Effect.Effect<AdmissionOutcome, E>
  ) =>
    Effect.gen(function* () {
      if (drivers.isClosing()) return yield* refusal() ?? new SkeinError.EngineClosing({ sessionId })
      const continued = claimant === null ? Option.none() : yield* claims.claim(sessionId, claimant)
      if (goesOn && Option.isSome(continued)) return continued.value
      const presence = yield* leases.presence
      const admitted = yield* admit(presence)
      switch (admitted._tag) {
        case "Started":
          yield* drivers.drive(admitted, presence)
          return admitted.ref
        case "Queued":
          yield* claims.watchQueue(sessionId)
          return admitted.ref
        case "Existing":
          return admitted.ref
        case "Busy":
          return yield* new SkeinError.SessionBusy({ sessionId, runId: admitted.runId })
      }
    }).pipe(
      Effect.uninterruptible,
      boundary.hold(sessionId),
      Effect.tapErrorTag("OutcomeUnknown", () => claims.claimLater(sessionId))
    )

  const send = Effect.fn("Runtime.send")(function* (input: Send) {
    const { sessionId } = input
    const hashes = yield* hashesOf(input)
    const runId = RunId.make(yield* ids.next("run"))
    const admit = (whenBusy: Send["whenBusy"]) => (presence: Presence) =>
      storage.admit({ ...input, ...hashes, runId, whenBusy, presence })
    // A free session takes one commit. Only a busy session is looked at, and then claimed if possible.
    return yield* Effect.catchTag(begin(sessionId, null, false, admit("refuse")), "SessionBusy", () =>
      Effect.zipRight(
        input.whenBusy === "refuse" ? settle(sessionId) : Effect.void,
        begin(sessionId, "client", false, admit(input.whenBusy))
      )
    )
  })

  const resume = Effect.fn("Runtime.resume")(function* (sessionId: SessionId, of: Resumption["of"]) {
    const runId = RunId.make(yield* ids.next("run"))
    yield* settle(sessionId)
    // If a run is named, storage decides whether it is the one that goes on.
    return yield* begin(sessionId, "resume", of === "newest", (presence) =>
      storage.resume({ sessionId, runId, of, presence })
    )
  })

  /** Goes on with what was answered, at the latest once storage permits. Its answer is stored, so this never fails. */
  const goOn = (sessionId: SessionId) =>
    Effect.catchAllCause(claims.claim(sessionId, "resume"), () => claims.claimLater(sessionId))

  const cancel = Effect.fn("Runtime.cancel")(function* (runId: RunId) {
    const run = yield* reader.run(runId)
    const { sessionId } = run
    if (run.state === "ended") return
    const actor = yield* Actor.Current
    // Only a queued run is looked for with a write: a run that is driven here must stop even if the database is locked.
    if (run.state === "queued" && (yield* storage.cancelQueued(runId))) return
    if (Option.contains(drivers.driven(sessionId), runId)) return yield* drivers.stop(runId, "cancelled", actor)
    // A released run must not go on only to be stopped.
    if (run.state === "running" && run.releasedAt !== null) yield* storage.requestCancel(runId)
    yield* boundary.hold(sessionId)(claims.claim(sessionId, "client"))
    if (Option.contains(drivers.driven(sessionId), runId)) return yield* drivers.stop(runId, "cancelled", actor)
    // It runs elsewhere, or has ended by now.
    if (yield* storage.requestCancel(runId)) yield* claims.awaitCancelled(runId)
  })

  const create = Effect.fn("Runtime.create")(function* (session: NewSession) {
    const creating = storage.createSession(session)
    return yield* creating.pipe(
      Effect.catchTag("SessionExists", (exists) =>
        Effect.gen(function* () {
          yield* Effect.orElseFail(deletions.removeHidden(session.id), () => exists)
          return yield* creating
        })
      ),
      boundary.hold(session.id)
    )
  })

  return {
    create: (session) => Effect.zipRight(upkeep.start, create(session)),
    patch: (sessionId, patch) => changing(sessionId)(storage.patch(sessionId, patch)),
    append: (sessionId, messages, key) =>
      Effect.flatMap(key === null ? Effect.succeed(undefined) : appendKeyOf(key), (appendKey) => {
        const appending = storage.append(sessionId, messages, appendKey)
        return changing(sessionId)(
          Effect.catchTag(appending, "SessionBusy", () => Effect.zipRight(claims.claim(sessionId, "client"), appending))
        )
      }),
    send: (input) => Effect.zipRight(upkeep.start, send(input)),
    resume: (sessionId, of) => Effect.zipRight(upkeep.start, resume(sessionId, of)),
    recover: (limit, owner) => Effect.zipRight(upkeep.start, recovery.recover(limit ?? recoverRuns, owner)),
    await: ({ runId }) => orClosed(claims.awaitEnd(runId)),
    cancel: (runId) => orClosed(cancel(runId)),
    answer: (questionId, answer) =>
      Effect.flatMap(reader.question(questionId), ({ sessionId }) =>
        storage
          .answer(questionId, answer)
          .pipe(Effect.zipLeft(goOn(sessionId)), Effect.uninterruptible, changing(sessionId))
      ),
    delete: (sessionId) => Effect.zipRight(upkeep.start, detached("delete the session", deletions.run(sessionId))),
    saveAsset: (asset) => Effect.zipRight(upkeep.start, assets.save(asset)),
    deleteAsset: (sessionId, assetId) => Effect.zipRight(upkeep.start, assets.remove(sessionId, assetId)),
    importSessions: (input) => Effect.zipRight(upkeep.start, imports.run(input)),
    sweep: upkeep.sweep
  } satisfies Service
})

export const layer = Layer.scoped(Runtime, make)
