/** The reference for the ends of runs: by their own engine, or after a takeover from a dead one. */
import { Either, Option } from "effect"
import * as Lease from "../../../domain/Lease.js"
import * as Tenure from "../../../domain/Tenure.js"
import { unanswered } from "../../../domain/Permission.js"
import type { EndedRun, StopReason } from "../../../domain/Run.js"
import type { LeaseLost, SessionNotFound } from "../../../domain/SkeinError.js"
import type { OpenCall, TakeoverOutcome, Takeover } from "../Storage.js"
import { closeCalls, isOpen } from "./Batches.js"
import { putAnswer, recordAnswer } from "./Questions.js"
import { refOf } from "./Runs.js"
import {
  held,
  holderBy,
  type SessionHold,
  requestStop,
  putBeat,
  putRun,
  putSession,
  record,
  setSession,
  type State,
  setTenure,
  type Transition,
  visible
} from "./State.js"

interface End {
  readonly stopReason: StopReason
  readonly detail: string | null
}

export const endRun = (
  state: State,
  at: number,
  { end, lease }: { readonly lease: Lease.Lease; readonly end: End }
): Transition<EndedRun, LeaseLost> => Either.map(held(state, lease), (holding) => close(state, at, holding, end))

export const takeOver = (
  state: State,
  at: number,
  { presence, seen }: { readonly seen: Takeover; readonly presence: Lease.Presence }
): Transition<TakeoverOutcome, SessionNotFound> =>
  Either.gen(function* () {
    const { lease, reason } = seen
    yield* visible(state, lease.sessionId)
    const holding = Either.getRight(held(state, lease))
    if (Option.isNone(holding)) return [{ _tag: "Lost" }, state]
    const { kept, keptRun } = holding.value
    const known = requestStop(putBeat(state, presence))
    const by = holderBy(known, presence)
    const tenure = Tenure.takeOver(kept.tenure, { fence: lease.fence, count: seen.count }, by)
    if (tenure === null) return [{ _tag: "Lost" }, state]
    const { runId, sessionId } = lease
    const { fence } = tenure
    const taken = setSession(
      { ...kept, tenure, holder: Option.some({ runId, engine: presence.engine }), draft: Option.none() },
      { updatedAt: at }
    )

    const mayGoOn = kept.tenure.state === "live" && !keptRun.cancelRequested
    if (!mayGoOn || !kept.batch.some((place) => isOpen(place) && waitsForHuman(place.call))) {
      const [, after] = close(known, at, { kept: taken, keptRun }, { stopReason: reason, detail: null })
      return [{ _tag: "Ended" }, after]
    }
    return [
      { _tag: "Continues", run: keptRun.run, ref: refOf(keptRun), lease: { sessionId, runId, fence } },
      putSession(
        known,
        closeCalls(taken, at, runId, (call) => !waitsForHuman(call))
      )
    ]
  })

const waitsForHuman = (call: OpenCall): boolean => call.state === "pending" && call.questionId !== null

/** Denies the run's open questions, closes its open calls, and releases the lease. */
const close = (
  state: State,
  at: number,
  { kept, keptRun }: SessionHold,
  { detail, stopReason }: End
): readonly [EndedRun, State] => {
  const run: EndedRun = { ...keptRun.run, state: "ended", stopReason, detail, endedAt: at }
  const open = state.questions.filter((question) => question.runId === run.id && question.answer === null)
  const denied = open.reduce((kept, question) => recordAnswer(kept, at, question, unanswered), kept)
  const closed = closeCalls(denied, at, run.id, () => true)
  const ended = record({ ...setTenure(closed, Tenure.release(closed.tenure)), draft: Option.none() }, at, {
    type: "run.ended",
    runId: run.id,
    stopReason,
    detail,
    usage: run.usage
  })
  const answered = open.reduce((state, { id }) => putAnswer(state, id, unanswered), state)
  return [run, putRun(putSession(answered, ended), { ...keptRun, run })]
}
