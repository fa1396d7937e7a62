/**
 * Storage in memory: one `Ref`, and a pure transition for each operation. For tests and for hosts that keep nothing;
 * its content is gone with the layer. It refuses what the contract refuses, and never fails for another reason.
 */
import { Clock, Context, Effect, Either, Layer, Option, Ref, Stream } from "effect"
import * as Actor from "../../Actor.js"
import type { SessionId } from "../../../domain/Session.js"
import { EngineConfig } from "../../EngineConfig.js"
import { EventSignals } from "../EventSignals.js"
import { type ReaderService, type Service, Storage, StorageReader } from "../Storage.js"
import * as Assets from "./Assets.js"
import * as Batches from "./Batches.js"
import * as Deletion from "./Deletion.js"
import * as Drafts from "./Drafts.js"
import * as Endings from "./Endings.js"
import * as Exported from "./Exported.js"
import * as Imports from "./Imports.js"
import * as Lists from "./Lists.js"
import * as Questions from "./Questions.js"
import * as Reads from "./Reads.js"
import * as Resuming from "./Resuming.js"
import * as Retention from "./Retention.js"
import * as Runs from "./Runs.js"
import * as Sessions from "./Sessions.js"
import * as State from "./State.js"
import * as Steps from "./Steps.js"
import * as Transcripts from "./Transcripts.js"

const makeReader = (ref: Ref.Ref<State.State>): ReaderService => {
  const read = <A, E>(look: (state: State.State) => Either.Either<A, E>) => Effect.flatMap(Ref.get(ref), look)
  const show = <A>(look: (state: State.State) => A) => Effect.map(Ref.get(ref), look)
  return {
    session: (sessionId) => read((state) => Reads.session(state, sessionId)),
    sessions: (query) => show((state) => Lists.page(state, query)),
    tenancies: show(Reads.tenancies),
    states: (sessionIds) => show((state) => Lists.states(state, sessionIds)),
    changes: (range) => show((state) => Lists.changes(state, range)),
    transcript: (range) =>
      Stream.unwrap(
        Effect.map(
          read((state) => Reads.transcript(state, range)),
          Stream.fromIterable
        )
      ),
    timeline: (range) =>
      Stream.unwrap(
        Effect.map(
          read((state) => Reads.timeline(state, range)),
          Stream.fromIterable
        )
      ),
    run: (runId) => read((state) => Reads.run(state, runId)),
    runs: (query) => read((state) => Reads.runs(state, query)),
    entry: (place) => read((state) => Reads.entry(state, place)),
    oldestCursor: (sessionId) => read((state) => Reads.oldestCursor(state, sessionId)),
    activity: (sessionId) => read((state) => Reads.activity(state, sessionId)),
    occupancy: (sessionId) => read((state) => Reads.occupancy(state, sessionId)),
    openBatch: (sessionId) => read((state) => Reads.openBatch(state, sessionId)),
    unsettled: (since) => show((state) => Reads.unsettled(state, since)),
    heldRuns: (instance) => show((state) => Reads.heldRuns(state, instance)),
    draft: (sessionId) => show((state) => Reads.draft(state, sessionId)),
    events: (range) => read((state) => Reads.events(state, range)),
    questions: (sessionId, owner) => show((state) => Reads.questions(state, sessionId, owner)),
    question: (questionId) => read((state) => Reads.question(state, questionId)),
    granted: (sessionId) => show((state) => Reads.granted(state, sessionId)),
    asset: (sessionId, assetId) => read((state) => Reads.asset(state, { sessionId, assetId })),
    assets: (sessionId) => read((state) => Reads.assets(state, sessionId)),
    exported: (sessionId) =>
      Stream.unwrap(
        Effect.map(
          read((state) => Exported.exported(state, sessionId)),
          Stream.fromIterable
        )
      ),
    deleting: show(Reads.deleting),
    storedRows: (sessionId) => show((state) => Deletion.storedRows(state, sessionId))
  }
}

/** Signals that a session has changed, or that it is gone. */
const telling =
  (signals: EventSignals["Type"]) => (before: State.State, after: State.State) => (sessionId: SessionId) =>
    Option.match(
      Option.filter(Either.getRight(State.visible(before, sessionId)), () =>
        Either.isLeft(State.visible(after, sessionId))
      ),
      {
        onNone: () => signals.signal(sessionId),
        onSome: ({ session }) => signals.signalGone(sessionId, session.owner)
      }
    )

const makeStorage = (ref: Ref.Ref<State.State>, signals: EventSignals["Type"]): Service => {
  const tell = telling(signals)
  const commit = <A, E>(transition: (state: State.State, at: number) => State.Transition<A, E>) =>
    Effect.gen(function* () {
      const at = yield* Clock.currentTimeMillis
      const { before, outcome } = yield* Ref.modify(ref, (before) => {
        const outcome = transition(before, at)
        return [{ before, outcome }, Either.match(outcome, { onLeft: () => before, onRight: ([, after]) => after })]
      })
      const [answer, after] = yield* outcome
      if (after !== before) Option.map(after.changed, tell(before, after))
      if (after.stopRequests !== before.stopRequests) signals.signalStopRequests()
      return answer
    }).pipe(Effect.uninterruptible)

  /** The same for a client's request: the change has the actor of the calling fiber. */
  const commitFor = <A, E>(
    transition: (state: State.State, at: number, asked: State.Asked) => State.Transition<A, E>
  ) => Effect.flatMap(Actor.Current, (actor) => commit((state, at) => transition(state, at, { actor })))

  return {
    createSession: (session) =>
      commitFor((state, at, asked) => Sessions.createSession(state, at, { ...session, ...asked })),
    patch: (sessionId, patch) =>
      commitFor((state, at, asked) => Sessions.patch(state, at, { sessionId, patch, ...asked })),
    append: (sessionId, messages, appendKey) =>
      commitFor((state, at, asked) => Transcripts.append(state, at, { sessionId, messages, appendKey, ...asked })),

    admit: (admission) => commitFor((state, at, asked) => Runs.admit(state, at, { ...admission, ...asked })),
    resume: (resumption) => commitFor((state, at, asked) => Resuming.resume(state, at, { ...resumption, ...asked })),
    startNext: (sessionId, presence) => commit((state, at) => Runs.startNext(state, at, { sessionId, presence })),
    cancelQueued: (runId) => commitFor((state, at, asked) => Runs.cancelQueued(state, at, { runId, ...asked })),
    requestCancel: (runId) => commitFor((state, _, asked) => Runs.requestCancel(state, { runId, ...asked })),
    takeOver: (seen, presence) => commit((state, at) => Endings.takeOver(state, at, { seen, presence })),
    renew: (presence) => commit((state, at) => Runs.renew(state, at, presence)),
    saveDrafts: (drafts) => commit((state) => Drafts.saveDrafts(state, drafts)),

    appendStep: (lease, message, sequel = {}) =>
      commit((state, at) => Steps.appendStep(state, at, { lease, message, sequel })),
    startCall: (lease, seq, display) => commit((state, at) => Batches.startCall(state, at, { lease, seq, display })),
    storeResult: (lease, seq, result) => commit((state, at) => Batches.storeResult(state, at, { lease, seq, result })),
    releaseRun: (lease) => commit((state, at) => Endings.releaseRun(state, at, lease)),
    endRun: (lease, end) => commit((state, at) => Endings.endRun(state, at, { lease, end })),

    ask: (lease, asked) => commit((state, at) => Questions.ask(state, at, { lease, asked })),
    answer: (questionId, answer) =>
      commitFor((state, at, asked) => Questions.answer(state, at, { questionId, answer, ...asked })),

    beginDelete: (sessionId) => commit((state) => Deletion.beginDelete(state, sessionId)),
    hide: (sessionId) => commit((state) => Deletion.hide(state, sessionId)),
    purge: (sessionId) => commit((state) => Deletion.purge(state, sessionId)),
    forget: (sessionId) => commit((state) => Deletion.forget(state, sessionId)),

    prune: (retention) => commit((state, at) => Retention.prune(state, at, retention)),

    beginImport: (session) => commit((state) => Imports.beginImport(state, session)),
    importRows: (sessionId, rows) => commit((state) => Imports.importRows(state, { sessionId, rows })),
    finishImport: (sessionIds) =>
      Effect.zipLeft(
        commitFor((state, at, asked) => Imports.finishImport(state, at, { sessionIds, ...asked })),
        Effect.sync(() => sessionIds.forEach(signals.signal))
      ),

    saveAsset: (asset) => commitFor((state, at, asked) => Assets.saveAsset(state, at, { asset, ...asked })),
    deleteAsset: (sessionId, assetId) =>
      commitFor((state, at, asked) => Assets.deleteAsset(state, at, { sessionId, assetId, ...asked }))
  }
}

/** A storage in memory: what it holds is gone with the layer. */
export const layer: Layer.Layer<Storage | StorageReader, never, EventSignals> = Layer.effectContext(
  Effect.gen(function* () {
    const signals = yield* EventSignals
    const { limits } = yield* EngineConfig
    const ref = yield* Ref.make(State.empty(limits))
    return Context.make(Storage, makeStorage(ref, signals)).pipe(Context.add(StorageReader, makeReader(ref)))
  })
)
