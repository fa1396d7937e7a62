/** The reference for the ends of runs: by their own engine, or after a takeover from a dead one. */
import { Either, Option } from "effect"
import * as Lease from "../../../domain/Lease.js"
import * as Takeover from "../../../domain/Takeover.js"
import * as Tenure from "../../../domain/Tenure.js"
import { unanswered } from "../../../domain/Permission.js"
import { type EndedRun, refOf, type RunningRun } from "../../../domain/Run.js"
import type { LeaseLost, SessionNotFound } from "../../../domain/SkeinError.js"
import type { OpenCall, RunEnd, TakeoverOutcome, Takeover as SeenLease } from "../Storage.js"
import { answerOvertaken, putAnswer, recordAnswer } from "./Answers.js"
import { closeCalls, isOpen } from "./Batches.js"
import {
  held,
  holderBy,
  type SessionHold,
  type SessionRecord,
  requestStop,
  putBeat,
  putRun,
  putSession,
  record,
  renewed,
  setSession,
  type State,
  setTenure,
  type Transition,
  visible
} from "./State.js"

export const endRun = (
  state: State,
  at: number,
  { end, lease }: { readonly lease: Lease.Lease; readonly end: RunEnd }
): Transition<EndedRun, LeaseLost> => Either.map(held(state, lease), (holding) => close(state, at, holding, end))

export const takeOver = (
  state: State,
  at: number,
  { presence, seen }: { readonly seen: SeenLease; readonly presence: Lease.Presence }
): Transition<TakeoverOutcome, SessionNotFound> =>
  Either.gen(function* () {
    const { lease } = seen
    yield* visible(state, lease.sessionId)
    const holding = Either.getRight(held(state, lease))
    if (Option.isNone(holding) || Takeover.isStale(seen.reason, seen.lookedAt, at)) return [{ _tag: "Lost" }, state]
    const { kept, keptRun } = holding.value
    const known = requestStop(putBeat(state, at, presence))
    const by = holderBy(known, presence)
    const tenure = Tenure.takeOver(renewed(state, kept), { fence: lease.fence, count: seen.count }, by)
    if (tenure === null) return [{ _tag: "Lost" }, state]
    const { runId, sessionId } = lease
    const { fence } = tenure
    const taken = setSession(
      { ...kept, tenure, holder: Option.some({ runId, engine: presence.engine }), draft: Option.none() },
      { updatedAt: at }
    )

    const fate = Takeover.fateOf({
      reason: seen.reason,
      recovery: seen.recovery,
      isDeleting: kept.tenure.state !== "live",
      isCancelled: keptRun.cancelRequested,
      takeovers: keptRun.takeovers,
      head: kept.session.head,
      open: kept.batch.filter(isOpen).map(({ call }) => call)
    })
    if (fate._tag === "Ends") {
      const actor = fate.stopReason === "cancelled" ? keptRun.cancelledBy : null
      const [, after] = close(known, at, { kept: taken, keptRun }, { ...fate, actor })
      return [{ _tag: "Ended" }, after]
    }
    const answered = answerOvertaken(known, at, taken, fate.closes)
    const calls = closeCalls(answered.kept, at, runId, fate.closes)
    const closed = fate.count === null ? calls : record(calls, at, { type: "run.released", runId })
    const takeovers = fate.count === null ? keptRun.takeovers : { count: fate.count, head: closed.session.head }
    const run: RunningRun = { ...keptRun.run, releasedAt: null }
    return [
      { _tag: "Continues", run, ref: refOf(keptRun.run), lease: { sessionId, runId, fence } },
      putRun(putSession(answered.state, closed), { ...keptRun, run, takeovers })
    ]
  })

export const releaseRun = (state: State, at: number, lease: Lease.Lease): Transition<RunningRun, LeaseLost> =>
  Either.map(held(state, lease), ({ kept, keptRun }) => {
    const { runId } = lease
    const released: SessionRecord = {
      ...kept,
      tenure: Tenure.release(kept.tenure),
      holder: Option.some({ runId, engine: null }),
      draft: Option.none()
    }
    const closes = (call: OpenCall) => call.state === "started"
    const answered = answerOvertaken(state, at, released, closes)
    const closed = closeCalls(answered.kept, at, runId, closes)
    const run: RunningRun = { ...keptRun.run, releasedAt: at }
    return [
      run,
      putRun(putSession(answered.state, record(closed, at, { type: "run.released", runId })), { ...keptRun, run })
    ]
  })

/** Denies the run's open questions, closes its open calls, and releases the lease. */
export const close = (
  state: State,
  at: number,
  { kept, keptRun }: SessionHold,
  { actor = null, detail, stopReason }: RunEnd
): readonly [EndedRun, State] => {
  const { releasedAt: _, ...held } = keptRun.run
  const run: EndedRun = { ...held, state: "ended", stopReason, detail, endedAt: at }
  const open = state.questions.filter((question) => question.runId === run.id && question.answer === null)
  const denied = open.reduce((kept, question) => recordAnswer(kept, at, question, unanswered), kept)
  const closed = closeCalls(denied, at, run.id, () => true)
  const ended = record(
    { ...setTenure(closed, Tenure.end(closed.tenure)), draft: Option.none() },
    at,
    {
      type: "run.ended",
      runId: run.id,
      stopReason,
      detail,
      usage: run.usage
    },
    actor
  )
  const answered = open.reduce((state, { id }) => putAnswer(state, id, unanswered), state)
  return [run, putRun(putSession(answered, ended), { ...keptRun, run })]
}
