/** The reference for the retention of events. One portion removes everything. */
import { Either, HashMap, Option } from "effect"
import type { Retention } from "../Storage.js"
import type { SessionRecord, State, Transition } from "./State.js"

export const prune = (state: State, at: number, { before, keep, since }: Retention): Transition<boolean> => {
  if (state.prunedAt >= since && state.prunedAt <= at) return Either.right([false, state])
  const sessions = HashMap.map(state.sessions, (kept) =>
    kept.tenure.state === "gone" ? kept : pruneOne(state, kept, before, keep)
  )
  return Either.right([false, { ...state, sessions, prunedAt: at, changed: Option.none() }])
}

const pruneOne = (state: State, kept: SessionRecord, before: number, keep: number): SessionRecord => {
  const { cursor, id } = kept.session
  const firstYoung = kept.events.find((event) => event.at >= before)?.cursor ?? cursor + 1
  const ofGoingRuns = [...HashMap.values(state.runs)].flatMap(({ cursor, run }) =>
    run.sessionId === id && run.state !== "ended" ? [cursor] : []
  )
  const last = Math.min(cursor - 1, ...ofGoingRuns, Math.max(cursor - keep, firstYoung - 1))
  return last <= kept.floor
    ? kept
    : { ...kept, floor: last, events: kept.events.filter((event) => event.cursor > last) }
}
