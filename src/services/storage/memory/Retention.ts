/** The reference for the retention of events. One portion removes everything. */
import { Either, HashMap, Option } from "effect"
import * as Retained from "../../../domain/Retention.js"
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
  const ofGoingRuns = [...HashMap.values(state.runs)].flatMap(({ run }) =>
    run.sessionId === id && run.state !== "ended" ? [run.cursor] : []
  )
  const going = ofGoingRuns.length === 0 ? null : Math.min(...ofGoingRuns)
  const times = new Map(kept.events.map((event): readonly [number, number] => [event.cursor, event.at]))
  let bounds = Retained.bounds({ first: kept.floor + 1, newest: cursor, going }, keep)
  let event = Retained.first(bounds)
  while (event !== null) {
    bounds = Retained.narrow(bounds, event, (times.get(event) ?? before - 1) >= before)
    event = Retained.next(bounds)
  }
  const last = bounds.old
  return last <= kept.floor
    ? kept
    : { ...kept, floor: last, events: kept.events.filter((event) => event.cursor > last) }
}
