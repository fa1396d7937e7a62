/** The reference for transcripts: a message takes the place after the head, and becomes the head. */
import { Chunk, Either, HashMap, Option } from "effect"
import type { Checked } from "../../../domain/Checked.js"
import type { Entry, Message } from "../../../domain/Message.js"
import * as Place from "../../../domain/Place.js"
import type { Seq, SessionId } from "../../../domain/Session.js"
import {
  type AppendRefused,
  IdempotencyConflict,
  SessionBusy,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import * as Usage from "../../../domain/Usage.js"
import type { AppendKey } from "../Storage.js"
import {
  type Asked,
  changeable,
  inTheWay,
  type SessionRecord,
  putSession,
  record,
  setSession,
  type State,
  type Transition
} from "./State.js"

export const append = (
  state: State,
  at: number,
  {
    actor,
    appendKey,
    messages: checked,
    sessionId
  }: {
    readonly sessionId: SessionId
    readonly messages: ReadonlyArray<Checked<Message>>
    readonly appendKey: AppendKey | undefined
  } & Asked
): Transition<
  ReadonlyArray<Entry>,
  SessionNotFound | SessionDeleting | IdempotencyConflict | SessionBusy | AppendRefused
> =>
  Either.gen(function* () {
    const messages = checked.map(({ value }) => value)
    const kept = yield* changeable(state, sessionId)
    const earlier = Option.flatMap(Option.fromNullable(appendKey), ({ key }) => HashMap.get(kept.appendKeys, key))
    if (appendKey !== undefined && Option.isSome(earlier)) {
      const { first, hash, last } = earlier.value
      if (hash === appendKey.hash) return [kept.entries.slice(first - 1, last), state]
      return yield* Either.left(new IdempotencyConflict({ sessionId, idempotencyKey: appendKey.key, runId: null }))
    }
    const busyWith = inTheWay(kept)
    if (Option.isSome(busyWith)) return yield* Either.left(new SessionBusy({ sessionId, runId: busyWith.value }))
    yield* Transcript.appendAll(transcriptOf(kept), messages)
    if (messages.length === 0) return [[], state]
    const appended = messages.reduce(
      (kept, message) => appendEntry(kept, at, { seq: nextSeq(kept), runId: null, actor, at, message }),
      kept
    )
    const { head } = kept.session
    const places = { first: head + 1, last: head + messages.length }
    const appendKeys =
      appendKey === undefined
        ? kept.appendKeys
        : HashMap.set(kept.appendKeys, appendKey.key, { hash: appendKey.hash, ...places })
    return [appended.entries.slice(head), putSession(state, { ...appended, appendKeys })]
  })

/** The place after the head. */
export const nextSeq = (kept: SessionRecord): Seq => Place.after(kept.session.head)

/** Moves the head to the entry in the next place, and adds its usage. */
export const appendEntry = (kept: SessionRecord, at: number, entry: Entry): SessionRecord => {
  const { actor, message, runId, seq } = entry
  const usage = message.role === "assistant" ? Usage.add(kept.session.usage, message.usage) : kept.session.usage
  return record(
    { ...setSession(kept, { head: seq, usage }), entries: [...kept.entries, entry] },
    at,
    {
      type: "message.appended",
      runId,
      seq,
      role: message.role
    },
    actor
  )
}

/** The part of a session that the rules of a transcript need. */
export const transcriptOf = (kept: SessionRecord): Transcript.State => ({
  sessionId: kept.session.id,
  head: kept.session.head,
  open: Chunk.fromIterable(kept.batch.map(({ call }) => call))
})
