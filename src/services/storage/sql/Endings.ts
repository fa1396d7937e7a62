/** How runs end: by themselves, before they start, or when they are taken over from a dead engine. */
import { Either } from "effect"
import type { Lease, Presence } from "../../../domain/Lease.js"
import { unanswered } from "../../../domain/Permission.js"
import type { EndedRun, RunId, RunningRun, State } from "../../../domain/Run.js"
import { type LeaseLost, type SessionNotFound, StorageFailed } from "../../../domain/SkeinError.js"
import * as Takeover from "../../../domain/Takeover.js"
import * as Program from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { RunEnd, TakeoverOutcome, Takeover as SeenLease } from "../Storage.js"
import { answerOpen } from "./Answers.js"
import { closeCalls, openCalls } from "./Batches.js"
import { dropDraft } from "./Drafts.js"
import { beatsOf, inState, instanceOf, isActor, reread } from "./RunRows.js"
import { renewUnlessRenewing } from "./Runs.js"
import {
  held,
  heldBy,
  queuedOn,
  raiseFence,
  record,
  type SessionAndRun,
  type SessionRow,
  visible
} from "./SessionRow.js"

interface RunBefore extends Takeover.Takeovers {
  readonly instance: string | null
  readonly isCancelled: number
  readonly cancelledBy: string | null
}

export function* endRun(
  tx: Transaction,
  { end, lease }: { readonly lease: Lease; readonly end: RunEnd }
): Program.Program<EndedRun, LeaseLost | StorageFailed> {
  const session = yield* held(tx, lease)
  yield* close(tx, session, end)
  return (yield* rereadIn(tx, session, lease, "ended", "end the run")).run
}

export function* cancelQueued(tx: Transaction, runId: RunId): Program.Program<boolean> {
  const session = yield* queuedOn(tx, runId)
  if (session !== undefined) yield* settle(tx, session, { stopReason: "cancelled", detail: null, actor: tx.actor })
  return session !== undefined
}

export function* takeOver(
  tx: Transaction,
  { presence, seen }: { readonly seen: SeenLease; readonly presence: Presence }
): Program.Program<TakeoverOutcome, SessionNotFound | StorageFailed> {
  const { count, lease, lookedAt, reason, recovery } = seen
  yield* visible(tx, lease.sessionId)
  const session = yield* heldBy(tx, lease)
  if (session === undefined || Takeover.isStale(reason, lookedAt, tx.now)) return { _tag: "Lost" }
  const run = yield* tx.get<RunBefore>(
    `SELECT ${instanceOf} AS instance, cancel_requested AS "isCancelled",
         cancelled_by AS "cancelledBy", takeovers AS count, takeover_head AS head FROM runs WHERE ordinal = ?`,
    session.run
  )
  if (run === undefined || (yield* beatsOf(tx, run.instance ?? "")) !== count) return { _tag: "Lost" }
  raiseFence(tx, session)
  yield* renewUnlessRenewing(tx, presence)
  tx.requestStop()

  const open = yield* openCalls(tx, session)
  const { count: takeovers, head } = run
  const fate = Takeover.fateOf({
    reason,
    recovery,
    isDeleting: session.state !== "live",
    isCancelled: run.isCancelled === 1,
    takeovers: { count: takeovers, head },
    head: session.head,
    open
  })
  if (fate._tag === "Ends") {
    const { cancelledBy } = run
    const isCancelled = fate.stopReason === "cancelled" && isActor(cancelledBy)
    yield* close(tx, session, { ...fate, actor: isCancelled ? cancelledBy : null })
    return { _tag: "Ended" }
  }
  yield* dropDraft(tx, session)
  yield* closeCalls(tx, session, session.run, open.filter(fate.closes))
  if (fate.count !== null) yield* record(tx, session, "run.released", { run: session.run })
  yield* tx.run(
    "UPDATE runs SET engine = ?, released_at = NULL, takeovers = ?, takeover_head = ? WHERE ordinal = ?",
    JSON.stringify(presence.engine),
    fate.count ?? takeovers,
    fate.count === null ? head : session.head,
    session.run
  )
  const taken = yield* rereadIn(tx, session, lease, "running", "take the run over")
  return { _tag: "Continues", run: taken.run, ref: taken.ref, lease: { ...lease, fence: session.fence } }
}

export function* releaseRun(tx: Transaction, lease: Lease): Program.Program<RunningRun, LeaseLost | StorageFailed> {
  const session = yield* held(tx, lease)
  raiseFence(tx, session)
  yield* dropDraft(tx, session)
  yield* closeCalls(
    tx,
    session,
    session.run,
    (yield* openCalls(tx, session)).filter((call) => call.state === "started")
  )
  yield* tx.run("UPDATE runs SET engine = NULL, released_at = ? WHERE ordinal = ?", tx.now, session.run)
  yield* record(tx, session, "run.released", { run: session.run })
  return (yield* rereadIn(tx, session, lease, "running", "release the run")).run
}

/** The run in the state that this write gave it. Fails when its own row does not decode. */
function* rereadIn<S extends State>(
  tx: Transaction,
  session: SessionRow,
  { runId }: Lease,
  state: S,
  operation: string
) {
  const damaged = () => new StorageFailed({ operation, code: "ROW_DAMAGED" })
  const stored = yield* Program.mapRefusal(reread(tx, session, runId), damaged)
  return yield* Either.mapLeft(inState(state, stored), damaged)
}

/** Denies the run's open questions, closes its open calls and returns the lease. */
export function* close(tx: Transaction, session: SessionAndRun, end: RunEnd): Program.Program<void> {
  yield* answerOpen(tx, session, session.run, unanswered)
  yield* closeCalls(tx, session, session.run, yield* openCalls(tx, session))
  yield* dropDraft(tx, session)
  yield* settle(tx, session, end)
}

function* settle(
  tx: Transaction,
  session: SessionAndRun,
  { actor = null, detail, stopReason }: RunEnd
): Program.Program<void> {
  yield* tx.run(
    "UPDATE runs SET state = 'ended', stop_reason = ?, detail = ?, ended_at = ?, message = NULL WHERE ordinal = ?",
    stopReason,
    detail,
    tx.now,
    session.run
  )
  yield* record(tx, session, "run.ended", { run: session.run, actor })
}
