/** The reference for imports: a hidden session without an event gets rows, and is shown with its first event. */
import { Either, HashMap, Option, Schema } from "effect"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import type * as Export from "../../../domain/Export.js"
import type { EndedRun } from "../../../domain/Run.js"
import { Cursor, type SessionId } from "../../../domain/Session.js"
import { InvalidInput, SessionExists, SessionNotFound } from "../../../domain/SkeinError.js"
import * as Stored from "../../../domain/Stored.js"
import { none } from "../../../domain/Takeover.js"
import * as Tenure from "../../../domain/Tenure.js"
import {
  emptySession,
  type Asked,
  putRun,
  putSession,
  record,
  type RunRecord,
  type SessionRecord,
  setSession,
  setTimes,
  setTenure,
  type State,
  type Transition
} from "./State.js"

export const beginImport = (state: State, session: Export.Session): Transition<void, SessionExists> => {
  const { going: _, model, type: __, waiting: ___, ...fields } = session
  if (HashMap.has(state.sessions, session.id)) return Either.left(new SessionExists({ sessionId: session.id }))
  const floor = Math.max(state.floor, session.cursor + 1, session.head + 1)
  const kept = emptySession({
    session: { ...fields, model: model?.value ?? null, cursor: Cursor.make(floor) },
    ordinal: state.created + 1,
    tenure: { ...Tenure.free, state: "gone" },
    floor
  })
  return Either.right([undefined, { ...putSession(state, kept), created: kept.ordinal, changed: Option.none() }])
}

/** A session that is being imported. */
const importing = (state: State, sessionId: SessionId): Either.Either<SessionRecord, SessionNotFound> =>
  HashMap.get(state.sessions, sessionId).pipe(
    Option.filter(({ floor, session, tenure }) => tenure.state === "gone" && session.cursor === floor),
    Either.fromOption(() => new SessionNotFound({ sessionId }))
  )

const taken = (field: "runs" | "questions", id: string): InvalidInput =>
  new InvalidInput({ field, limit: "an id that no other session uses", actual: id })

const stopReasonOf = Schema.decodeSync(Stored.StopReason)
const accessOf = Schema.decodeSync(Stored.Access)

const addRun = (state: State, sessionId: SessionId, row: Export.Run): Either.Either<State, InvalidInput> => {
  const { hash, id, idempotencyKey, resumes, type: _, ...fields } = row
  if (HashMap.has(state.runs, id)) return Either.left(taken("runs", id))
  const { detail } = Stored.run(row)
  const stopReason = stopReasonOf(row.stopReason)
  const cursor = Cursor.make(row.cursor)
  const run: EndedRun = { ...fields, id, sessionId, state: "ended", stopReason, detail, cursor }
  const keptRun: RunRecord = {
    run,
    ordinal: HashMap.reduce(state.runs, 0, (last, { ordinal }) => Math.max(last, ordinal)) + 1,
    message: null,
    idempotencyKey,
    hash,
    cancelRequested: false,
    cancelledBy: null,
    takeovers: none,
    resumedBy: null
  }
  const runs = resumes === null ? state.runs : HashMap.modify(state.runs, resumes, (one) => ({ ...one, resumedBy: id }))
  return Either.right(putRun({ ...state, runs }, keptRun))
}

const addMessage = (kept: SessionRecord, row: Export.Message): SessionRecord => {
  const { actor, at, display, finished, message, runId, seq, startedAt } = row
  const entries = [...kept.entries, { seq, runId, actor, at, message: message.value }]
  const times = {
    startedAt,
    finished: finished === null ? null : Cursor.make(finished),
    display: display?.value ?? CallDisplay.none
  }
  return setTimes({ ...kept, entries }, seq, times)
}

const add = (state: State, kept: SessionRecord, row: Export.Row): Either.Either<State, InvalidInput> => {
  const sessionId = kept.session.id
  const put = (kept: SessionRecord) => Either.right(putSession(state, kept))
  switch (row.type) {
    case "run":
      return addRun(state, sessionId, row)
    case "message":
      return put(addMessage(kept, row))
    case "question": {
      const { access, answer, display, type: _, ...fields } = row
      if (state.questions.some(({ id }) => id === row.id)) return Either.left(taken("questions", row.id))
      const shown = display?.value ?? CallDisplay.none
      const question = { ...fields, sessionId, access: accessOf(access), display: shown, answer: answer.value }
      return Either.right({ ...state, questions: [...state.questions, question] })
    }
    case "grant":
      return put({ ...kept, granted: new Set([...kept.granted, row.tool]) })
    case "append-key": {
      const { first, hash, key, last } = row
      return put({ ...kept, appendKeys: HashMap.set(kept.appendKeys, key, { hash, first, last }) })
    }
    case "asset": {
      const { type: _, ...asset } = row
      return put({ ...kept, assets: [...kept.assets, { ...asset, sessionId }] })
    }
  }
}

export const importRows = (
  state: State,
  { rows, sessionId }: { readonly sessionId: SessionId; readonly rows: ReadonlyArray<Export.Row> }
): Transition<void, InvalidInput | SessionNotFound> =>
  Either.gen(function* () {
    let after = state
    for (const row of rows) after = yield* add(after, yield* importing(after, sessionId), row)
    yield* importing(after, sessionId)
    return [undefined, { ...after, changed: Option.none() }]
  })

export const finishImport = (
  state: State,
  at: number,
  { actor, sessionIds }: { readonly sessionIds: ReadonlyArray<SessionId> } & Asked
): Transition<void, SessionNotFound> =>
  Either.gen(function* () {
    let after = state
    for (const sessionId of sessionIds) {
      const kept = setTenure(yield* importing(after, sessionId), Tenure.free)
      const { title, updatedAt } = kept.session
      after = putSession(after, setSession(record(kept, at, { type: "session.created", title }, actor), { updatedAt }))
    }
    return [undefined, { ...after, deletions: after.deletions + 1, changed: Option.none() }]
  })
