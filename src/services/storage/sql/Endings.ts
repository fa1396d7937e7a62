/** How runs end: by themselves, before they start, or when they are taken over from a dead engine. */
import { Either } from "effect"
import type { Lease, Presence } from "../../../domain/Lease.js"
import { unanswered } from "../../../domain/Permission.js"
import type { EndedRun, RunId, RunningRun, State } from "../../../domain/Run.js"
import { type LeaseLost, type SessionNotFound, StorageFailed } from "../../../domain/SkeinError.js"
import * as Takeover from "../../../domain/Takeover.js"
import type { Transaction } from "./lane/GroupCommit.js"
import type { RunEnd, TakeoverOutcome, Takeover as SeenLease } from "../Storage.js"
import { closeCalls, openCalls } from "./Batches.js"
import { dropDraft } from "./Drafts.js"
import { answerOpen } from "./Questions.js"
import { beatsOf, inState, instanceOf, isActor, reread } from "./RunRows.js"
import { renew } from "./Runs.js"
import { held, queuedOn, raiseFence, record, type SessionAndRun, type SessionRow, visible } from "./SessionRow.js"

interface RunBefore extends Takeover.Takeovers {
  readonly instance: string | null
  readonly isCancelled: number
  readonly cancelledBy: string | null
}

export const endRun = (
  tx: Transaction,
  { end, lease }: { readonly lease: Lease; readonly end: RunEnd }
): Either.Either<EndedRun, LeaseLost | StorageFailed> =>
  Either.gen(function* () {
    const session = yield* held(tx, lease)
    close(tx, session, end)
    return (yield* rereadIn(tx, session, lease, "ended", "end the run")).run
  })

export const cancelQueued = (tx: Transaction, runId: RunId): Either.Either<boolean> => {
  const session = queuedOn(tx, runId)
  if (session !== undefined) settle(tx, session, { stopReason: "cancelled", detail: null, actor: tx.actor })
  return Either.right(session !== undefined)
}

export const takeOver = (
  tx: Transaction,
  { presence, seen }: { readonly seen: SeenLease; readonly presence: Presence }
): Either.Either<TakeoverOutcome, SessionNotFound | StorageFailed> =>
  Either.gen(function* () {
    const { count, lease, lookedAt, reason, recovery } = seen
    yield* visible(tx, lease.sessionId)
    const holding = held(tx, lease)
    if (Either.isLeft(holding) || Takeover.isStale(reason, lookedAt, tx.now)) return { _tag: "Lost" }
    const session = holding.right
    const run = tx.get<RunBefore>(
      `SELECT ${instanceOf} AS instance, cancel_requested AS isCancelled,
         cancelled_by AS cancelledBy, takeovers AS count, takeover_head AS head FROM runs WHERE ordinal = ?`,
      session.run
    )
    if (run === undefined || beatsOf(tx, run.instance ?? "") !== count) return { _tag: "Lost" }
    raiseFence(tx, session)
    renew(tx, presence)
    tx.requestStop()

    const open = openCalls(tx, session)
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
      close(tx, session, { ...fate, actor: isCancelled ? cancelledBy : null })
      return { _tag: "Ended" }
    }
    dropDraft(tx, session)
    closeCalls(tx, session, session.run, open.filter(fate.closes))
    if (fate.count !== null) record(tx, session, "run.released", { run: session.run })
    tx.run(
      "UPDATE runs SET engine = ?, released_at = NULL, takeovers = ?, takeover_head = ? WHERE ordinal = ?",
      JSON.stringify(presence.engine),
      fate.count ?? takeovers,
      fate.count === null ? head : session.head,
      session.run
    )
    const taken = yield* rereadIn(tx, session, lease, "running", "take the run over")
    return { _tag: "Continues", run: taken.run, ref: taken.ref, lease: { ...lease, fence: session.fence } }
  })

export const releaseRun = (tx: Transaction, lease: Lease): Either.Either<RunningRun, LeaseLost | StorageFailed> =>
  Either.gen(function* () {
    const session = yield* held(tx, lease)
    raiseFence(tx, session)
    dropDraft(tx, session)
    closeCalls(
      tx,
      session,
      session.run,
      openCalls(tx, session).filter((call) => call.state === "started")
    )
    tx.run("UPDATE runs SET engine = NULL, released_at = ? WHERE ordinal = ?", tx.now, session.run)
    record(tx, session, "run.released", { run: session.run })
    return (yield* rereadIn(tx, session, lease, "running", "release the run")).run
  })

/** The run in the state that this write gave it. Fails when its own row does not decode. */
const rereadIn = <S extends State>(
  tx: Transaction,
  session: SessionRow,
  { runId }: Lease,
  state: S,
  operation: string
) =>
  Either.mapLeft(
    Either.flatMap(reread(tx, session, runId), (stored) => inState(state, stored)),
    (): StorageFailed => new StorageFailed({ operation, code: "ROW_DAMAGED" })
  )

/** Denies the run's open questions, closes its open calls and returns the lease. */
export const close = (tx: Transaction, session: SessionAndRun, end: RunEnd): void => {
  answerOpen(tx, session, session.run, unanswered)
  closeCalls(tx, session, session.run, openCalls(tx, session))
  dropDraft(tx, session)
  settle(tx, session, end)
}

const settle = (tx: Transaction, session: SessionAndRun, { actor = null, detail, stopReason }: RunEnd): void => {
  tx.run(
    "UPDATE runs SET state = 'ended', stop_reason = ?, detail = ?, ended_at = ?, message = NULL WHERE ordinal = ?",
    stopReason,
    detail,
    tx.now,
    session.run
  )
  record(tx, session, "run.ended", { run: session.run, actor })
}
