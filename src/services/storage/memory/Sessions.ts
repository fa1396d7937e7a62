/** The reference for a session's own fields: creation, title, model, folder and metadata. */
import * as Tenure from "../../../domain/Tenure.js"
import { Either, HashMap, Option } from "effect"
import type { Json } from "../../../domain/Json.js"
import * as Limits from "../../../domain/Limits.js"
import type { ModelRef } from "../../../domain/ModelRef.js"
import { Cursor, type Session, type SessionId } from "../../../domain/Session.js"
import {
  type InvalidInput,
  type SessionDeleting,
  SessionExists,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Title from "../../../domain/Title.js"
import * as Usage from "../../../domain/Usage.js"
import type { NewSession } from "../Storage.js"
import { changeable, putSession, record, setSession, type State, type Transition } from "./State.js"

type ChangeRefused = InvalidInput | SessionNotFound | SessionDeleting

export const createSession = (
  state: State,
  at: number,
  { id, metadata, model, owner, title, workdir }: NewSession
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
      agent: null,
      model,
      metadata: metadata.value,
      usage: Usage.zero,
      head: 0,
      cursor: Cursor.make(state.floor),
      createdAt: at,
      updatedAt: at
    }
    const kept = record(
      {
        session,
        ordinal: state.created + 1,
        tenure: Tenure.free,
        holder: Option.none(),
        draft: Option.none(),
        queue: [],
        entries: [],
        batch: [],
        granted: new Set(),
        appendKeys: HashMap.empty(),
        assets: [],
        events: [],
        floor: state.floor
      },
      at,
      { type: "session.created", title: folded }
    )
    return [kept.session, putSession({ ...state, created: kept.ordinal }, kept)]
  })

export const rename = (
  state: State,
  at: number,
  { sessionId, title }: { readonly sessionId: SessionId; readonly title: string }
): Transition<Session, ChangeRefused> =>
  Either.gen(function* () {
    const folded = yield* Title.check(title, state.limits)
    const kept = yield* changeable(state, sessionId)
    const renamed = record(setSession(kept, { title: folded, named: true }), at, {
      type: "session.renamed",
      title: folded
    })
    return [renamed.session, putSession(state, renamed)]
  })

export const setModel = (
  state: State,
  at: number,
  { model, sessionId }: { readonly sessionId: SessionId; readonly model: ModelRef | null }
): Transition<Session, SessionNotFound | SessionDeleting> =>
  Either.map(changeable(state, sessionId), (kept) => {
    const changed = record(setSession(kept, { model }), at, { type: "session.model", model })
    return [changed.session, putSession(state, changed)]
  })

export const setWorkdir = (
  state: State,
  at: number,
  { sessionId, workdir }: { readonly sessionId: SessionId; readonly workdir: string | null }
): Transition<Session, SessionNotFound | SessionDeleting> =>
  Either.map(changeable(state, sessionId), (kept) => {
    const changed = record(setSession(kept, { workdir }), at, { type: "session.moved", workdir })
    return [changed.session, putSession(state, changed)]
  })

/** Checks the merged metadata, which only the storage knows. */
export const patchMetadata = (
  state: State,
  at: number,
  { patch, sessionId }: { readonly sessionId: SessionId; readonly patch: { readonly [field: string]: Json } }
): Transition<Session, ChangeRefused> =>
  Either.gen(function* () {
    const kept = yield* changeable(state, sessionId)
    const merged = new Map<string, Json>([...Object.entries(kept.session.metadata), ...Object.entries(patch)])
    const metadata = Object.fromEntries([...merged].filter(([field]) => patch[field] !== null))
    yield* Limits.json("metadata", metadata, state.limits.metadataBytes)
    const patched = setSession(kept, { metadata, updatedAt: at })
    return [patched.session, putSession(state, patched)]
  })
