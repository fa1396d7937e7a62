/**
 * Storage in SQL: each operation is one write of the lane, each read one statement of the reader. A title is checked
 * before anything is queued; messages and metadata come checked.
 */
import { Context, Effect, Either, Layer } from "effect"
import type * as Limits from "../../../domain/Limits.js"
import type { SessionId } from "../../../domain/Session.js"
import * as Title from "../../../domain/Title.js"
import { EngineConfig } from "../../EngineConfig.js"
import { EventLoop, type Turn } from "../../EventLoop.js"
import { type ReaderService, type Service, Storage, StorageReader } from "../Storage.js"
import * as Outdated from "../Outdated.js"
import { StorageClock } from "../StorageClock.js"
import { type Subject, WriteLane } from "./lane/WriteLane.js"
import * as AssetRows from "./AssetRows.js"
import * as Batches from "./Batches.js"
import * as Deletion from "./Deletion.js"
import * as Drafts from "./Drafts.js"
import * as Endings from "./Endings.js"
import * as Events from "./Events.js"
import * as Exported from "./Exported.js"
import * as Imports from "./Imports.js"
import * as Query from "./Query.js"
import * as Questions from "./Questions.js"
import * as Resuming from "./Resuming.js"
import * as Retention from "./Retention.js"
import * as RunRows from "./RunRows.js"
import * as Runs from "./Runs.js"
import * as SessionLists from "./SessionLists.js"
import * as SessionStates from "./SessionStates.js"
import * as Sessions from "./Sessions.js"
import * as Steps from "./Steps.js"
import * as Timeline from "./Timeline.js"
import * as Transcripts from "./Transcripts.js"

/** Everything is refused once the engine is outdated. */
const makeReader = (query: Query.Query, turn: Turn, { effect, stream }: Outdated.Guard): ReaderService => ({
  session: (sessionId) => effect(Sessions.find(query, sessionId)),
  sessions: (filter) => effect(SessionLists.page(query, turn, filter)),
  tenancies: effect(RunRows.tenancies(query)),
  states: (sessionIds) => effect(SessionStates.read(query, sessionIds)),
  changes: (range) => effect(SessionStates.changes(query, range)),
  transcript: (range) => stream(Transcripts.stream(query, turn, range)),
  timeline: (range) => stream(Timeline.stream(query, turn, range)),
  run: (runId) => effect(Effect.map(RunRows.find(query, runId), ({ run }) => run)),
  runs: (asked) => effect(RunRows.list(query, asked)),
  entry: (place) => effect(Transcripts.entry(query, place)),
  oldestCursor: (sessionId) => effect(Sessions.oldestCursor(query, sessionId)),
  activity: (sessionId) => effect(RunRows.activity(query, sessionId)),
  occupancy: (sessionId) => effect(RunRows.occupancy(query, sessionId)),
  openBatch: (sessionId) => effect(Batches.openBatch(query, turn, sessionId)),
  unsettled: (since) => effect(RunRows.unsettled(query, since)),
  heldRuns: (instance) => effect(RunRows.heldRuns(query, instance)),
  draft: (sessionId) => effect(Drafts.find(query, sessionId)),
  events: (range) => effect(Events.read(query, range)),
  questions: (sessionId, owner) => effect(Questions.open(query, sessionId, owner)),
  question: (questionId) => effect(Questions.find(query, questionId)),
  granted: (sessionId) => effect(Questions.granted(query, sessionId)),
  asset: (sessionId, assetId) => effect(AssetRows.find(query, sessionId, assetId)),
  assets: (sessionId) => effect(AssetRows.list(query, sessionId)),
  exported: (sessionId) => stream(Exported.stream(query, turn, sessionId)),
  deleting: effect(Deletion.deleting(query)),
  storedRows: (sessionId) => effect(Deletion.storedRows(query, sessionId))
})

/** The sessions that a write changes. */
const of = (...sessions: ReadonlyArray<SessionId>): Subject => ({ sessions })

const makeStorage = (
  { write, writeFor }: WriteLane["Type"],
  query: Query.Query,
  limits: Limits.Limits,
  turn: Turn,
  ahead: () => number
): Service => ({
  createSession: (session) =>
    Effect.flatMap(
      session.title === null ? Either.right(Title.untitled) : Title.check(session.title, limits),
      (title) => writeFor("create the session", of(session.id), (tx) => Sessions.create(tx, session, title))
    ),
  patch: (sessionId, patch) =>
    Effect.flatMap(Title.checkPatch(patch, limits), (patch) =>
      writeFor("change the session", of(sessionId), (tx) => Sessions.patch(tx, limits, { sessionId, patch }))
    ),
  append: (sessionId, messages, appendKey) =>
    writeFor("append messages", of(sessionId), (tx) => Transcripts.append(tx, { sessionId, messages, appendKey })),

  admit: (admission) => writeFor("store the run", of(admission.sessionId), (tx) => Runs.admit(tx, limits, admission)),
  resume: (resumption) =>
    writeFor("resume the session", of(resumption.sessionId), (tx) => Resuming.resume(tx, limits, resumption)),
  startNext: (sessionId, presence) =>
    write("start the next run", of(sessionId), (tx) => Runs.startNext(tx, limits, { sessionId, presence })),
  cancelQueued: (runId) => writeFor("cancel the queued run", { run: runId }, (tx) => Endings.cancelQueued(tx, runId)),
  requestCancel: (runId) => writeFor("ask for a run's end", { run: runId }, (tx) => Runs.requestCancel(tx, runId)),
  takeOver: (seen, presence) =>
    write("take the run over", of(seen.lease.sessionId), (tx) => Endings.takeOver(tx, { seen, presence })),
  renew: (presence) => write("renew the leases", of(), (tx) => Runs.renew(tx, presence)),
  saveDrafts: (drafts) =>
    write("keep the drafts", of(...drafts.map(({ lease }) => lease.sessionId)), (tx) => Drafts.save(tx, drafts)),

  appendStep: (lease, message, sequel = {}) =>
    write("append the step", of(lease.sessionId), (tx) => Steps.appendStep(tx, { lease, message, sequel })),
  startCall: (lease, seq, display) =>
    write("start the call", of(lease.sessionId), (tx) => Batches.startCall(tx, { lease, seq, display })),
  storeResult: (lease, seq, result) =>
    write("store the result", of(lease.sessionId), (tx) => Batches.storeResult(tx, { lease, seq, result })),
  releaseRun: (lease) => write("release the run", of(lease.sessionId), (tx) => Endings.releaseRun(tx, lease)),
  endRun: (lease, end) => write("end the run", of(lease.sessionId), (tx) => Endings.endRun(tx, { lease, end })),

  ask: (lease, asked) => write("store the question", of(lease.sessionId), (tx) => Questions.ask(tx, { lease, asked })),
  answer: (questionId, answer) =>
    writeFor("store the answer", { question: questionId }, (tx) => Questions.answer(tx, { questionId, answer })),

  beginDelete: (sessionId) => write("begin the deletion", of(sessionId), (tx) => Deletion.begin(tx, sessionId)),
  hide: (sessionId) => write("hide the session", of(sessionId), (tx) => Deletion.hide(tx, sessionId)),
  purge: (sessionId) => write("remove the session's rows", of(sessionId), (tx) => Deletion.purge(tx, sessionId)),
  forget: (sessionId) => write("forget the session", of(sessionId), (tx) => Deletion.forget(tx, sessionId)),

  prune: (retention) => Retention.prune(query, write, turn, retention, ahead),

  beginImport: (session) => write("begin the import", of(session.id), (tx) => Imports.begin(tx, session)),
  importRows: (sessionId, rows) =>
    write("import rows", of(sessionId), (tx) => Imports.addRows(tx, { sessionId, rows })),
  finishImport: (sessionIds) =>
    writeFor("finish the import", of(...sessionIds), (tx) => Imports.finish(tx, sessionIds)),

  saveAsset: (asset) => writeFor("store the asset's row", of(asset.sessionId), (tx) => AssetRows.save(tx, asset)),
  deleteAsset: (sessionId, assetId) =>
    writeFor("remove the asset's row", of(sessionId), (tx) => AssetRows.remove(tx, { sessionId, assetId }))
})

export const layer: Layer.Layer<Storage | StorageReader, never, Query.Queries | WriteLane> = Layer.effectContext(
  Effect.gen(function* () {
    const query = yield* Query.Queries
    const lane = yield* WriteLane
    const { limits } = yield* EngineConfig
    const { turn } = yield* EventLoop
    const { ahead } = yield* StorageClock
    const guard = Outdated.guard(yield* Outdated.Outdated)
    return Context.make(Storage, makeStorage(lane, query, limits, turn, ahead)).pipe(
      Context.add(StorageReader, makeReader(query, turn, guard))
    )
  })
)
