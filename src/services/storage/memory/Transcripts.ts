/** The reference for transcripts: a message takes the place after the head, and becomes the head. */
import { Chunk, Either, Option } from "effect"
import type { Checked } from "../../../domain/Checked.js"
import type { Entry, Message } from "../../../domain/Message.js"
import { Seq, type SessionId } from "../../../domain/Session.js"
import {
  type AppendRefused,
  SessionBusy,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import * as Usage from "../../../domain/Usage.js"
import { changeable, type SessionRecord, putSession, record, setSession, type State, type Transition } from "./State.js"

export const append = (
  state: State,
  at: number,
  checked: { readonly sessionId: SessionId; readonly messages: ReadonlyArray<Checked<Message>> }
): Transition<ReadonlyArray<Entry>, SessionNotFound | SessionDeleting | SessionBusy | AppendRefused> =>
  Either.gen(function* () {
    const { sessionId } = checked
    const messages = checked.messages.map(({ value }) => value)
    const kept = yield* changeable(state, sessionId)
    if (Option.isSome(kept.holder)) {
      return yield* Either.left(new SessionBusy({ sessionId, runId: kept.holder.value.runId }))
    }
    yield* Transcript.appendAll(transcriptOf(kept), messages)
    if (messages.length === 0) return [[], state]
    const appended = messages.reduce(
      (kept, message) => appendEntry(kept, at, { seq: nextSeq(kept), runId: null, at, message }),
      kept
    )
    return [appended.entries.slice(kept.session.head), putSession(state, appended)]
  })

/** The place after the head. */
export const nextSeq = (kept: SessionRecord): Seq => Seq.make(kept.session.head + 1)

/** Moves the head to the entry in the next place, and adds its usage. */
export const appendEntry = (kept: SessionRecord, at: number, entry: Entry): SessionRecord => {
  const { message, runId, seq } = entry
  const usage = message.role === "assistant" ? Usage.add(kept.session.usage, message.usage) : kept.session.usage
  return record({ ...setSession(kept, { head: seq, usage }), entries: [...kept.entries, entry] }, at, {
    type: "message.appended",
    runId,
    seq,
    role: message.role
  })
}

/** The part of a session that the rules of a transcript need. */
export const transcriptOf = (kept: SessionRecord): Transcript.State => ({
  sessionId: kept.session.id,
  head: kept.session.head,
  open: Chunk.fromIterable(kept.batch.map(({ call }) => call))
})
