/**
 * Storage in SQL: each operation is one write of the lane, each read one statement of the reader. A title is checked
 * before anything is queued; messages and metadata come checked.
 */
import { Context, Effect, Either, Layer } from "effect"
import type * as Limits from "../../../domain/Limits.js"
import * as Title from "../../../domain/Title.js"
import { Database } from "./Database.js"
import { EngineConfig } from "../../EngineConfig.js"
import { EventLoop, type Turn } from "../../EventLoop.js"
import { type ReaderService, type Service, Storage, StorageReader } from "../Storage.js"
import { WriteLane } from "./lane/WriteLane.js"
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

const makeReader = (query: Query.Query, turn: Turn): ReaderService => ({
  session: (sessionId) => Sessions.find(query, sessionId),
  sessions: (filter) => SessionLists.page(query, turn, filter),
  tenancies: RunRows.tenancies(query),
  states: (sessionIds) => SessionStates.read(query, sessionIds),
  changes: (range) => SessionStates.changes(query, range),
  transcript: (range) => Transcripts.stream(query, turn, range),
  timeline: (range) => Timeline.stream(query, turn, range),
  run: (runId) => Effect.map(RunRows.find(query, runId), ({ run }) => run),
  runs: (asked) => RunRows.list(query, asked),
  entry: (place) => Transcripts.entry(query, place),
  oldestCursor: (sessionId) => Sessions.oldestCursor(query, sessionId),
  activity: (sessionId) => RunRows.activity(query, sessionId),
  openBatch: (sessionId) => Batches.openBatch(query, turn, sessionId),
  unsettled: RunRows.unsettled(query),
  heldRuns: (instance) => RunRows.heldRuns(query, instance),
  draft: (sessionId) => Drafts.find(query, sessionId),
  events: (range) => Events.read(query, range),
  questions: (sessionId) => Questions.open(query, sessionId),
  question: (questionId) => Questions.find(query, questionId),
  granted: (sessionId) => Questions.granted(query, sessionId),
  asset: (sessionId, assetId) => AssetRows.find(query, sessionId, assetId),
  assets: (sessionId) => AssetRows.list(query, sessionId),
  exported: (sessionId) => Exported.stream(query, turn, sessionId),
  deleting: Deletion.deleting(query),
  storedRows: (sessionId) => Deletion.storedRows(query, sessionId)
})

const makeStorage = (
  { write, writeFor }: WriteLane["Type"],
  query: Query.Query,
  limits: Limits.Limits,
  turn: Turn
): Service => ({
  createSession: (session) =>
    Effect.flatMap(
      session.title === null ? Either.right(Title.untitled) : Title.check(session.title, limits),
      (title) => writeFor("create the session", (tx) => Sessions.create(tx, session, title))
    ),
  patch: (sessionId, patch) =>
    Effect.flatMap(Title.checkPatch(patch, limits), (patch) =>
      writeFor("change the session", (tx) => Sessions.patch(tx, limits, { sessionId, patch }))
    ),
  append: (sessionId, messages, appendKey) =>
    writeFor("append messages", (tx) => Transcripts.append(tx, { sessionId, messages, appendKey })),

  admit: (admission) => writeFor("store the run", (tx) => Runs.admit(tx, limits, admission)),
  resume: (resumption) => writeFor("resume the session", (tx) => Resuming.resume(tx, limits, resumption)),
  startNext: (sessionId, presence) =>
    write("start the next run", (tx) => Runs.startNext(tx, limits, { sessionId, presence })),
  cancelQueued: (runId) => writeFor("cancel the queued run", (tx) => Endings.cancelQueued(tx, runId)),
  requestCancel: (runId) => writeFor("ask for a run's end", (tx) => Runs.requestCancel(tx, runId)),
  takeOver: (seen, presence) => write("take the run over", (tx) => Endings.takeOver(tx, { seen, presence })),
  renew: (presence) => write("renew the leases", (tx) => Runs.renew(tx, presence)),
  saveDrafts: (drafts) => write("keep the drafts", (tx) => Drafts.save(tx, drafts)),

  appendStep: (lease, message, sequel = {}) =>
    write("append the step", (tx) => Steps.appendStep(tx, { lease, message, sequel })),
  startCall: (lease, seq, display) => write("start the call", (tx) => Batches.startCall(tx, { lease, seq, display })),
  storeResult: (lease, seq, result) =>
    write("store the result", (tx) => Batches.storeResult(tx, { lease, seq, result })),
  releaseRun: (lease) => write("release the run", (tx) => Endings.releaseRun(tx, lease)),
  endRun: (lease, end) => write("end the run", (tx) => Endings.endRun(tx, { lease, end })),

  ask: (lease, asked) => write("store the question", (tx) => Questions.ask(tx, { lease, asked })),
  answer: (questionId, answer) => writeFor("store the answer", (tx) => Questions.answer(tx, { questionId, answer })),

  beginDelete: (sessionId) => write("begin the deletion", (tx) => Deletion.begin(tx, sessionId)),
  hide: (sessionId) => write("hide the session", (tx) => Deletion.hide(tx, sessionId)),
  purge: (sessionId) => write("remove the session's rows", (tx) => Deletion.purge(tx, sessionId)),
  forget: (sessionId) => write("forget the session", (tx) => Deletion.forget(tx, sessionId)),

  prune: (retention) => Retention.prune(query, write, turn, retention),

  beginImport: (session) => write("begin the import", (tx) => Imports.begin(tx, session)),
  importRows: (sessionId, rows) => write("import rows", (tx) => Imports.addRows(tx, { sessionId, rows })),
  finishImport: (sessionIds) => writeFor("finish the import", (tx) => Imports.finish(tx, sessionIds)),

  saveAsset: (asset) => writeFor("store the asset's row", (tx) => AssetRows.save(tx, asset)),
  deleteAsset: (sessionId, assetId) =>
    writeFor("remove the asset's row", (tx) => AssetRows.remove(tx, { sessionId, assetId }))
})

export const layer: Layer.Layer<Storage | StorageReader, never, Database | WriteLane> = Layer.effectContext(
  Effect.gen(function* () {
    const database = yield* Database
    const lane = yield* WriteLane
    const { busyMaxMillis, limits } = yield* EngineConfig
    const { turn } = yield* EventLoop
    const query = Query.make(database.reader, busyMaxMillis)
    return Context.make(Storage, makeStorage(lane, query, limits, turn)).pipe(
      Context.add(StorageReader, makeReader(query, turn))
    )
  })
)
