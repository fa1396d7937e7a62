/** How runs end: by their own hand, before they began, or taken over from an owner that died. */
import { Either } from "effect"
import type { Lease, Owner } from "../../domain/Lease.js"
import { unanswered } from "../../domain/Permission.js"
import type { Run, RunId, StopReason } from "../../domain/Run.js"
import { type LeaseLost, type SessionNotFound, StorageFailed } from "../../domain/SkeinError.js"
import type { Transaction } from "../lane/GroupCommit.js"
import type { OpenCall, TakenOver } from "../Storage.js"
import { closeCalls, openCalls } from "./Batches.js"
import { answerOpen } from "./Questions.js"
import { reread } from "./RunRows.js"
import { held, queuedOn, raiseFence, record, type SessionAndRun, visible } from "./SessionRow.js"

interface End {
  readonly stopReason: StopReason
  readonly detail: string | null
}

export const endRun = (
  tx: Transaction,
  { end, lease }: { readonly lease: Lease; readonly end: End }
): Either.Either<Run, LeaseLost | StorageFailed> =>
  Either.gen(function* () {
    const session = yield* held(tx, lease)
    close(tx, session, end)
    const { run } = yield* Either.mapLeft(reread(tx, session, lease.runId), corrupt("end the run"))
    return run
  })

export const cancelQueued = (tx: Transaction, runId: RunId): Either.Either<boolean> => {
  const session = queuedOn(tx, runId)
  if (session !== undefined) settle(tx, session, { stopReason: "cancelled", detail: null })
  return Either.right(session !== undefined)
}

export const takeOver = (
  tx: Transaction,
  { lease, owner }: { readonly lease: Lease; readonly owner: Owner }
): Either.Either<TakenOver, SessionNotFound | StorageFailed> =>
  Either.gen(function* () {
    yield* visible(tx, lease.sessionId)
    const holding = held(tx, lease)
    if (Either.isLeft(holding)) return { _tag: "Lost" }
    const session = holding.right
    raiseFence(tx, session)

    const open = openCalls(tx, session)
    if (session.state !== "live" || !open.some(waitsForHuman)) {
      close(tx, session, { stopReason: "crashed", detail: null })
      return { _tag: "Ended" }
    }
    tx.run("UPDATE runs SET owner = ? WHERE ordinal = ?", JSON.stringify(owner), session.run)
    closeCalls(
      tx,
      session,
      session.run,
      open.filter((call) => !waitsForHuman(call))
    )
    const { ref, run } = yield* Either.mapLeft(reread(tx, session, lease.runId), corrupt("take the run over"))
    return { _tag: "Continues", run, ref, lease: { ...lease, fence: session.fence } }
  })

const waitsForHuman = (call: OpenCall): boolean => call.state === "pending" && call.questionId !== null

/** The run's own row does not decode. */
const corrupt = (operation: string) => (): StorageFailed => new StorageFailed({ operation, code: "SQLITE_CORRUPT" })

/** Denies the run's open questions, closes its open calls, gives the lease back. */
const close = (tx: Transaction, session: SessionAndRun, end: End): void => {
  answerOpen(tx, session, session.run, unanswered)
  closeCalls(tx, session, session.run, openCalls(tx, session))
  settle(tx, session, end)
}

const settle = (tx: Transaction, session: SessionAndRun, { detail, stopReason }: End): void => {
  tx.run(
    "UPDATE runs SET state = 'ended', stop_reason = ?, detail = ?, ended_at = ?, message = NULL WHERE ordinal = ?",
    stopReason,
    detail,
    tx.now,
    session.run
  )
  record(tx, session, "run.ended", { run: session.run })
}
