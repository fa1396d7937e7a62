/**
 * What a transcript may contain in which order, and where it may be cut.
 *
 * An assistant message that asks for calls opens a batch. Right after it come their results, one each, in the order of
 * the calls; nothing else may come before the last of them. So a provider accepts every transcript without an open
 * batch. Messages of an unknown role are not sent to providers. Calls' inputs are not checked here, and of texts only
 * whether a user message is blank.
 */
import { Chunk, Either, Option } from "effect"
import * as Batch from "./Batch.js"
import { type CallId, callsOf, type Entry, isText, type Message } from "./Message.js"
import * as Place from "./Place.js"
import type { Seq, SessionId } from "./Session.js"
import { AppendRefused } from "./SkeinError.js"

/** A call without its result, and the place that is set aside for it. */
interface OpenCall {
  readonly callId: CallId
  readonly name: string
  readonly index: number
  readonly seq: Seq
}

/** The part of a transcript that decides what may follow. */
export interface State {
  readonly sessionId: SessionId
  /** The last place; 0 when empty. */
  readonly head: number
  /** The open batch's calls that have no result yet, in order. */
  readonly open: Chunk.Chunk<OpenCall>
}

type Reason = AppendRefused["reason"]

/** An empty transcript. */
export const empty = (sessionId: SessionId): State => ({ sessionId, head: 0, open: Chunk.empty() })

/** Appends a message at the place after the head. */
export const append = (state: State, message: Message): Either.Either<State, AppendRefused> => {
  const seq = Place.after(state.head)
  return Either.mapBoth(openAfter(state.open, seq, message), {
    onLeft: refused(state),
    onRight: (open) => ({ ...state, head: seq, open })
  })
}

/** Appends messages that come from outside any run: all or none, and they must not leave a batch open. */
export const appendAll = (state: State, messages: ReadonlyArray<Message>): Either.Either<State, AppendRefused> => {
  let appended = state
  for (const message of messages) {
    const next = append(appended, message)
    if (Either.isLeft(next)) return next
    appended = next.right
  }
  return Chunk.isEmpty(appended.open) ? Either.right(appended) : Either.left(refused(state)("calls-without-batch"))
}

/** The state after the entries of a transcript, or of a part of it that does not begin within a batch. */
export const fold = (sessionId: SessionId, entries: ReadonlyArray<Entry>): Either.Either<State, AppendRefused> => {
  let state = empty(sessionId)
  for (const { message, seq } of entries) {
    const next = append({ ...state, head: seq - 1 }, message)
    if (Either.isLeft(next)) return next
    state = next.right
  }
  return Either.right(state)
}

/** Whether each call has its one result, right after it and in order, and nothing is open. */
export const isSendable = (entries: ReadonlyArray<Entry>): boolean => {
  let open = Chunk.empty<OpenCall>()
  for (const { message, seq } of entries) {
    const next = openAfter(open, seq, message)
    if (Either.isLeft(next)) return false
    open = next.right
  }
  return Chunk.isEmpty(open)
}

/**
 * Returns the turns: a transcript may be cut between two of them and nowhere else. A turn begins at a user message that
 * follows something else; consecutive user messages begin one turn together. What comes before the first user message
 * is a turn too. There is no user message within a batch, so no turn begins there.
 */
export const turns = (entries: ReadonlyArray<Entry>): ReadonlyArray<ReadonlyArray<Entry>> => {
  const turns: Array<Array<Entry>> = []
  let before: Entry | undefined
  for (const entry of entries) {
    const turn = turns.at(-1)
    if (turn === undefined || beginsTurn(entry, before)) turns.push([entry])
    else turn.push(entry)
    before = entry
  }
  return turns
}

const beginsTurn = ({ message }: Entry, before: Entry | undefined): boolean =>
  message.role === "user" && before?.message.role !== "user"

/** Returns the calls that are open after `message` at `seq`, or why the message must not be there. */
const openAfter = (
  open: Chunk.Chunk<OpenCall>,
  seq: Seq,
  message: Message
): Either.Either<Chunk.Chunk<OpenCall>, Reason> => {
  if (message.role === "tool") {
    if (Option.exists(Chunk.head(open), isCallOf(message))) return Either.right(Chunk.drop(open, 1))
    return Either.left(Chunk.some(open, isCallOf(message)) ? "batch-open" : "result-without-call")
  }
  if (Chunk.isNonEmpty(open)) return Either.left("batch-open")
  if (isBlank(message)) return Either.left("empty")
  const calls = callsOf(message)
  if (calls.length > 0 && message.role === "assistant" && message.partial) return Either.left("calls-without-batch")
  return Either.right(
    Chunk.fromIterable(calls.map(({ callId, name }, index) => ({ callId, name, index, seq: Batch.seqOf(seq, index) })))
  )
}

const isCallOf =
  (result: { readonly callId: CallId }) =>
  (call: OpenCall): boolean =>
    call.callId === result.callId

const isBlank = (message: Message): boolean =>
  message.role === "user" && message.parts.every((part) => isText(part) && part.text.trim() === "")

const refused =
  ({ sessionId }: State) =>
  (reason: Reason): AppendRefused =>
    new AppendRefused({ sessionId, reason })
