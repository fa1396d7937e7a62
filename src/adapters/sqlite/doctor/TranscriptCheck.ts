/**
 * Whether every place of a transcript has its message, or an open call that can still get its result. The places are
 * walked in order, as the rule of transcripts goes. What is damaged or missing is replaced by a placeholder at once, so
 * that what follows is judged by the transcript as it will be.
 */
import type Sqlite from "better-sqlite3"
import { Chunk, Either, Option, Schema } from "effect"
import * as Batch from "../../../domain/Batch.js"
import { CallId, Message } from "../../../domain/Message.js"
import * as Transcript from "../../../domain/Transcript.js"
import { decoder, exactJson } from "../../../services/storage/sql/Decoding.js"
import { columnsOf } from "../../../services/storage/sql/MessageRow.js"
import { calls, messages } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Placeholder from "./Placeholder.js"
import * as Rows from "./Rows.js"

const exactMessage = exactJson(Message)
const decodeMessage = decoder(messages.columns.body.schema)
const decodeCallId = Schema.decodeUnknownOption(CallId)

/** A call by its columns; none when they are invalid. */
const callOf = (callId: unknown, name: unknown): Option.Option<Placeholder.CallOf> =>
  Option.flatMap(decodeCallId(callId), (callId) =>
    typeof name === "string" ? Option.some({ callId, name }) : Option.none()
  )

const isNumber = (value: unknown): value is number => typeof value === "number"

type MessageRow = Rows.RowOf<typeof messages>
type CallRow = Rows.RowOf<typeof calls>

/** What a placeholder has from the place before it when its own is lost. */
interface Before {
  readonly role: string | null
  readonly follows: number
  readonly at: number
}

/** Looks at all of a session's messages and open calls. `isHeld` tells whether a run is to finish these. */
export const check = (connection: Sqlite.Database, session: SessionKey, isHeld: boolean): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const open = [...Rows.of(connection, calls, session.ordinal)]
  const unseen = new Set<CallRow>(open)
  let missing: Array<Change.Change> = []
  let progress = Transcript.empty(session.id)
  let before: Before = { role: null, follows: 0, at: 0 }
  /** The run of the last message that is not a result. */
  let run: MessageRow["run"] = null
  let next = 1

  const callAt = (seq: number) => open.find((call) => call.seq === seq)

  /** Moves on over a message. Returns why it is not allowed in its place. */
  const pass = (seq: number, message: Message, row: Partial<MessageRow>): string | null => {
    before = {
      role: message.role,
      follows: isNumber(row.follows) ? row.follows : before.follows,
      at: isNumber(row.at) ? row.at : before.at
    }
    if (message.role !== "tool") run = row.run ?? null
    next = seq + 1
    const after = Transcript.append({ ...progress, head: seq - 1 }, message)
    const anew = Either.orElse(after, () =>
      Transcript.append({ ...Transcript.empty(session.id), head: seq - 1 }, message)
    )
    progress = Either.getOrElse(anew, () => progress)
    return Either.isLeft(after) ? after.left.reason : null
  }

  /** Puts a message in a place. `row` has what is known of what belongs there. */
  const put = (seq: number, message: Message, row: Partial<MessageRow>): Change.Change => {
    const values = {
      follows: isNumber(row.follows) ? row.follows : before.follows,
      mark: 0,
      run: row.run ?? (message.role === "tool" ? run : null),
      at: isNumber(row.at) ? row.at : before.at,
      ...columnsOf(message, JSON.stringify(message))
    }
    pass(seq, message, values)
    return { table: messages, key: { session: session.ordinal, seq }, values, isLoss: false }
  }

  /** The calls whose results, or open calls, follow right after a place. */
  const callsAfter = (seq: number): ReadonlyArray<Placeholder.CallOf> => {
    const found: Array<Placeholder.CallOf> = []
    for (let place = seq + 1; ; place++) {
      const row = Rows.at(connection, messages, { session: session.ordinal, seq: place })
      const call = row === undefined ? callAt(place) : { id: row.role === "tool" ? row.call : null, name: row.name }
      const known = callOf(call?.id, call?.name)
      if (Option.isNone(known)) return found
      found.push(known.value)
    }
  }

  /** What is put into a place that has lost its message. */
  const placeholder = (seq: number, row?: MessageRow): Message => {
    const own = row?.role === "tool" ? callOf(row.call, row.name) : Option.none()
    const call = Option.orElse(Chunk.head(progress.open), () => own)
    if (Option.isSome(call)) return Placeholder.result(call.value, row?.outcome)
    const after = row?.role === "user" ? [] : callsAfter(seq)
    const isAnswer = row === undefined ? before.role === "user" : row.role === "assistant"
    return after.length > 0 || isAnswer ? Placeholder.assistant(after) : Placeholder.user
  }

  const endGap = (): void => {
    if (missing.length === 0) return
    findings.push(make("messages-missing", { session, first: next - missing.length, last: next - 1 }, missing))
    missing = []
  }

  /** A place without a message: that of an open call, or one that has lost it. */
  const fill = (seq: number): void => {
    const asked = Option.getOrUndefined(Chunk.head(progress.open))
    const call = callAt(seq)
    if (asked === undefined || call === undefined) {
      missing.push(Change.loss(put(seq, placeholder(seq), {})))
      return
    }
    endGap()
    unseen.delete(call)
    const state = call.state === "pending" ? "pending" : "started"
    const closing = put(seq, Batch.closing({ ...asked, state }), { follows: call.follows })
    if (!isHeld) findings.push(make("call-abandoned", { session, seq }, [Change.remove(calls, call), closing]))
  }

  const take = (row: MessageRow): void => {
    const { body, seq } = row
    if (!isNumber(seq)) return
    while (next < seq) fill(next)
    endGap()
    const text = typeof body === "string" ? body : ""
    const decoded = Either.orElse(
      Either.fromNullable(exactMessage(text), () => null),
      () => decodeMessage({ sessionId: session.id, seq }, text)
    )
    if (Either.isLeft(decoded)) {
      const { detail } = decoded.left
      const change = Change.loss(put(seq, placeholder(seq, row), row))
      return void findings.push(make("message-damaged", { session, seq, detail }, [change]))
    }
    const reason = pass(seq, decoded.right, row)
    if (reason !== null) findings.push(make("message-misplaced", { session, seq, reason }))
  }

  for (const row of Rows.of(connection, messages, session.ordinal)) take(row)
  while (Chunk.isNonEmpty(progress.open)) fill(next)
  endGap()
  for (const call of unseen) {
    if (!isNumber(call.seq)) continue
    findings.push(
      make(call.seq < next ? "call-answered" : "call-unasked", { session, seq: call.seq }, [Change.remove(calls, call)])
    )
  }
  return findings
}
