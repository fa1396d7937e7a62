/** The reference for a session's deletion: begin, hide the session, remove its rows, free its id. */
import { Either, HashMap, Option } from "effect"
import { Cursor, type SessionId } from "../../../domain/Session.js"
import { SessionBusy, SessionNotFound } from "../../../domain/SkeinError.js"
import * as Tenure from "../../../domain/Tenure.js"
import {
  type SessionRecord,
  requestStop,
  putSession,
  setSession,
  setTenure,
  type State,
  type Transition,
  visible
} from "./State.js"

export const beginDelete = (state: State, sessionId: SessionId): Transition<void, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => [
    undefined,
    kept.tenure.state === "deleting"
      ? state
      : requestStop(putSession(state, setTenure(kept, Tenure.beginDeletion(kept.tenure))))
  ])

export const hide = (state: State, sessionId: SessionId): Transition<void, SessionNotFound | SessionBusy> =>
  Either.gen(function* () {
    const kept = yield* visible(state, sessionId)
    if (kept.tenure.state !== "deleting") return yield* Either.left(new SessionNotFound({ sessionId }))
    if (Option.isSome(kept.holder)) {
      return yield* Either.left(new SessionBusy({ sessionId, runId: kept.holder.value.runId }))
    }
    const removed = Tenure.remove(kept.tenure)
    if (removed === null) return yield* Either.left(new SessionNotFound({ sessionId }))
    return [undefined, putSession({ ...state, deletions: state.deletions + 1 }, setTenure(kept, removed))]
  })

/** Counts runs, questions, messages, assets, events and grants. */
export const storedRows = (state: State, sessionId: SessionId): number => {
  const kept = Option.getOrNull(HashMap.get(state.sessions, sessionId))
  if (kept === null) return 0
  const runs = HashMap.size(HashMap.filter(state.runs, ({ run }) => run.sessionId === sessionId))
  const questions = state.questions.filter((question) => question.sessionId === sessionId).length
  return runs + questions + kept.entries.length + kept.assets.length + kept.events.length + kept.granted.size
}

/** One purge removes everything. */
export const purge = (state: State, sessionId: SessionId): Transition<number> =>
  Either.right(
    Option.match(hidden(state, sessionId), {
      onNone: () => [0, state],
      onSome: (kept) => [
        storedRows(state, sessionId),
        putSession(
          {
            ...state,
            runs: HashMap.filter(state.runs, ({ run }) => run.sessionId !== sessionId),
            questions: state.questions.filter((question) => question.sessionId !== sessionId)
          },
          withoutRows(kept)
        )
      ]
    })
  )

/** A session that was being imported no longer counts as such: its newest cursor is past its floor. */
const withoutRows = (kept: SessionRecord): SessionRecord => ({
  ...setSession(kept, { cursor: Cursor.make(Math.max(kept.session.cursor, kept.floor + 1)) }),
  queue: [],
  entries: [],
  assets: [],
  events: [],
  granted: new Set(),
  appendKeys: HashMap.empty()
})

export const forget = (state: State, sessionId: SessionId): Transition<void> =>
  Either.right(
    Option.match(
      Option.filter(hidden(state, sessionId), () => storedRows(state, sessionId) === 0),
      {
        onNone: () => [undefined, state],
        onSome: (kept) => [
          undefined,
          {
            ...state,
            sessions: HashMap.remove(state.sessions, sessionId),
            floor: Math.max(state.floor, kept.session.cursor + 1),
            changed: Option.some(sessionId)
          }
        ]
      }
    )
  )

const hidden = (state: State, sessionId: SessionId): Option.Option<SessionRecord> =>
  Option.filter(HashMap.get(state.sessions, sessionId), ({ tenure }) => tenure.state === "gone")
