/** The reference for a session's own fields: creation, title, model, folder and metadata. */
import * as Tenure from "../../../domain/Tenure.js"
import { Either, HashMap } from "effect"
import type { Json } from "../../../domain/Json.js"
import * as Limits from "../../../domain/Limits.js"
import { Cursor, type Session, type SessionId } from "../../../domain/Session.js"
import {
  type InvalidInput,
  type SessionDeleting,
  SessionExists,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Title from "../../../domain/Title.js"
import * as Usage from "../../../domain/Usage.js"
import type { NewSession, SessionPatch } from "../Storage.js"
import {
  emptySession,
  type Asked,
  changeable,
  putSession,
  record,
  setSession,
  type State,
  type Transition
} from "./State.js"

type ChangeRefused = InvalidInput | SessionNotFound | SessionDeleting

export const createSession = (
  state: State,
  at: number,
  { actor, agent, id, metadata, model, owner, parent, placement, title, workdir }: NewSession & Asked
): Transition<Session, InvalidInput | SessionExists> =>
  Either.gen(function* () {
    const folded = title === null ? Title.untitled : yield* Title.check(title, state.limits)
    if (HashMap.has(state.sessions, id)) return yield* Either.left(new SessionExists({ sessionId: id }))
    const session: Session = {
      id,
      title: folded,
      named: title !== null,
      owner,
      workdir,
      placement,
      parent,
      agent,
      model,
      metadata: metadata.value,
      usage: Usage.zero,
      head: 0,
      cursor: Cursor.make(state.floor),
      createdAt: at,
      updatedAt: at
    }
    const kept = record(
      emptySession({ session, ordinal: state.created + 1, tenure: Tenure.free, floor: state.floor }),
      at,
      { type: "session.created", title: folded },
      actor
    )
    return [kept.session, putSession({ ...state, created: kept.ordinal }, kept)]
  })

/** Checks the merged metadata, which only the storage knows. */
export const patch = (
  state: State,
  at: number,
  { actor, patch, sessionId }: { readonly sessionId: SessionId; readonly patch: SessionPatch } & Asked
): Transition<Session, ChangeRefused> =>
  Either.gen(function* () {
    const { agent, metadata, model, title, workdir } = yield* Title.checkPatch(patch, state.limits)
    let kept = yield* changeable(state, sessionId)
    if (metadata !== undefined) {
      const merged = new Map<string, Json>([...Object.entries(kept.session.metadata), ...Object.entries(metadata)])
      const fields = Object.fromEntries([...merged].filter(([field]) => metadata[field] !== null))
      yield* Limits.json("metadata", fields, state.limits.metadataBytes)
      kept = setSession(kept, { metadata: fields, updatedAt: at })
    }
    if (title !== undefined)
      kept = record(setSession(kept, { title, named: true }), at, { type: "session.renamed", title }, actor)
    if (model !== undefined) kept = record(setSession(kept, { model }), at, { type: "session.model", model }, actor)
    if (agent !== undefined) kept = record(setSession(kept, { agent }), at, { type: "session.agent", agent }, actor)
    if (workdir !== undefined)
      kept = record(setSession(kept, { workdir }), at, { type: "session.moved", workdir }, actor)
    return [kept.session, putSession(state, kept)]
  })
