/**
 * Checks that every place of a transcript has its message, or an open call that can still get its result. The places are
 * visited in order. A placeholder immediately replaces what is damaged or missing, so that the rest is judged by the
 * transcript as it will be after the repair. Pure.
 */
import { Chunk, Either, Option, Schema } from "effect"
import * as Batch from "../../../../domain/Batch.js"
import { CallId, type Message } from "../../../../domain/Message.js"
import * as Transcript from "../../../../domain/Transcript.js"
import { columnsOf } from "../MessageRow.js"
import { calls, messages, sessionRows } from "../Tables.js"
import * as Change from "./Change.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import type { MessageRow, PassedMessage } from "./MessageCheck.js"
import * as Placeholder from "./Placeholder.js"
import * as Rows from "./Rows.js"
import type { SessionRows } from "./SessionRows.js"

const decodeCallId = Schema.decodeUnknownOption(CallId)

/** The call that these columns name, if they are valid. */
const callOf = (callId: unknown, name: unknown): Option.Option<Placeholder.CallOf> =>
  Option.flatMap(decodeCallId(callId), (callId) =>
    typeof name === "string" ? Option.some({ callId, name }) : Option.none()
  )

const isNumber = (value: unknown): value is number => typeof value === "number"

/** So many places may be missing without a trace in the cursors. */
const untraced = 64

interface Gap {
  readonly seq: number
  readonly change: Change.Change
  /** The newest event at the place before the gap, and at the first place after it. */
  readonly after: number
  until: number
}

/** Combines consecutive gaps into one finding. */
const missingOf = (session: SessionKey, gaps: ReadonlyArray<Gap>): ReadonlyArray<Finding> => {
  const stretches: Array<{ first: number; last: number; changes: Array<Change.Change> }> = []
  for (const { change, seq } of gaps) {
    const stretch = stretches.at(-1)
    if (stretch?.last === seq - 1) {
      stretch.last = seq
      stretch.changes.push(change)
    } else stretches.push({ first: seq, last: seq, changes: [change] })
  }
  return stretches.map(({ changes, ...range }) => make("messages-missing", { session, ...range }, changes))
}

/** Checks all messages and open calls of a session. */
export const check = (rows: SessionRows): ReadonlyArray<Finding> => {
  const { calls: open, events, own, places, runs, session } = rows
  const findings: Array<Finding> = []
  const isHeld = runs.some(({ state }) => state === "running")
  const ownRuns = new Set(runs.map(({ ordinal }) => ordinal))
  const unseen = new Set(open)
  const missing: Array<Gap> = []
  const misnumbered: Array<MessageRow> = []
  let answers = 0
  /** Whether there is a message of a later version. Whether it asks for calls or counts as an answer is unknown here. */
  let hasOther = false
  let progress = Transcript.empty(session.id)
  let before = { role: "", follows: 0, at: 0 }
  /** The run of the last message that is not a result. */
  let run: MessageRow["run"] = null
  let next = 1

  const callAt = (seq: number) => open.find((call) => call.seq === seq)

  /** The newest event before a place, and its time. When they are lost, those of the previous place. */
  const placed = ({ at, follows }: Partial<MessageRow>) => ({
    follows: isNumber(follows) ? follows : before.follows,
    at: isNumber(at) ? at : before.at
  })

  /** Moves past a message. Returns the reason if it is not allowed in its place. */
  const pass = (seq: number, message: Message, row: Partial<MessageRow>): string | null => {
    before = { role: message.role, ...placed(row) }
    if (message.role !== "tool") run = row.run ?? null
    if (message.role === "assistant") answers++
    if (message.role === "other") hasOther = true
    next = seq + 1
    const after = Transcript.append({ ...progress, head: seq - 1 }, message)
    const anew = () => Transcript.append({ ...Transcript.empty(session.id), head: seq - 1 }, message)
    progress = Either.getOrElse(Either.orElse(after, anew), () => progress)
    return Either.isLeft(after) ? after.left.reason : null
  }

  /** Puts a message in a place. `row` has the columns that are known of the message that belongs there. */
  const put = (seq: number, message: Message, row: Partial<MessageRow>): Change.Change => {
    const ofRun = row.run ?? (message.role === "tool" ? run : null)
    const values = { ...placed(row), mark: 0, run: ofRun, ...columnsOf(message, JSON.stringify(message)) }
    pass(seq, message, values)
    return Change.update(messages, { session: session.ordinal, seq }, values)
  }

  /** The calls whose results or open calls immediately follow a place. */
  const callsAfter = (seq: number): ReadonlyArray<Placeholder.CallOf> => {
    const found: Array<Placeholder.CallOf> = []
    for (let place = seq + 1; ; place++) {
      const row = places.get(place)?.row
      const call = row === undefined ? callAt(place) : { id: row.role === "tool" ? row.call : null, name: row.name }
      const known = callOf(call?.id, call?.name)
      if (Option.isNone(known)) return found
      found.push(known.value)
    }
  }

  /** The placeholder for a place that has lost its message. */
  const placeholder = (seq: number, row?: MessageRow): Message => {
    const own = row?.role === "tool" ? callOf(row.call, row.name) : Option.none()
    const call = Option.orElse(Chunk.head(progress.open), () => own)
    if (Option.isSome(call)) return Placeholder.result(call.value, row?.outcome)
    const after = row?.role === "user" ? [] : callsAfter(seq)
    const isAnswer = row === undefined ? before.role === "user" : row.role === "assistant"
    return after.length > 0 || isAnswer ? Placeholder.assistant(after) : Placeholder.user
  }

  const miss = (seq: number, message: Message): void => {
    const { follows: after } = before
    missing.push({ seq, change: Change.loss(put(seq, message, {})), after, until: Infinity })
  }

  /** Handles a place without a message: that of an open call, or one that has lost its message. */
  const fill = (seq: number): void => {
    const asked = Option.getOrUndefined(Chunk.head(progress.open))
    const call = callAt(seq) ?? open.find(({ id }) => id === asked?.callId)
    if (asked === undefined && call !== undefined && hasOther) return void (next = seq + 1)
    if (asked === undefined || call === undefined) return miss(seq, placeholder(seq))
    unseen.delete(call)
    const state = call.state === "pending" ? "pending" : "started"
    const closing = put(seq, Batch.closing({ ...asked, state }), { follows: call.follows })
    const wanted = { seq, position: asked.index, id: asked.callId, name: asked.name }
    const damage = Judging.differing("is not what its message asks for at", call, wanted)
    if (isHeld) findings.push(...Judging.report({ session }, calls, call, damage))
    else findings.push(make("call-abandoned", { session, seq }, [Change.remove(calls, call), closing]))
  }

  /** New values for columns that differ from the message, or do not decode. */
  const mending = ({ damaged, row, wanted }: PassedMessage): Rows.Row => {
    const least = damaged.length === 0 ? {} : Rows.plain(Rows.least(messages, damaged))
    const known: Rows.Row = { ...least, follows: before.follows, at: before.at }
    return {
      ...wanted,
      ...Object.fromEntries(damaged.map((name) => [name, known[name] ?? null])),
      ...(row.run === null || ownRuns.has(row.run) ? {} : { run: null })
    }
  }

  /** Whether a row's number is too great for the events before it: each place has at least one event. */
  const isTooFar = (seq: number, { follows }: MessageRow): boolean => {
    if (seq - next <= untraced) return false
    const newest = EventCheck.greatest([follows, ...events.map(({ cursor }) => cursor)].filter(isNumber))
    return seq - next > untraced + newest - before.follows
  }

  const take = (passed: PassedMessage): void => {
    const { message, row } = passed
    const { seq } = row
    if (!isNumber(seq) || seq < 1 || isTooFar(seq, row)) return void misnumbered.push(row)
    while (next < seq) fill(next)
    for (const gap of missing) if (gap.until === Infinity) gap.until = isNumber(row.follows) ? row.follows : gap.after
    if (Either.isLeft(message)) {
      const change = Change.loss(put(seq, placeholder(seq, row), row))
      findings.push(make("message-damaged", { session, seq, detail: message.left }, [change]))
      return
    }
    const values = mending(passed)
    const reason = pass(seq, message.right, { ...row, ...values })
    const names = Object.keys(values)
    if (names.length > 0) {
      const damage = { detail: `is damaged at ${names.join(", ")}`, values }
      findings.push(...Judging.report({ session }, messages, row, damage))
    } else if (reason !== null) findings.push(make("message-misplaced", { session, seq, reason }))
  }

  /** The place where a message with a wrong number belongs: an empty one that fits by the events around it. */
  const homeOf = ({ follows }: MessageRow): number | null => {
    const home = missing.findIndex(({ after, until }) => isNumber(follows) && after <= follows && follows <= until)
    if (home >= 0) return missing.splice(home, 1)[0]?.seq ?? null
    return isNumber(follows) && follows >= before.follows ? next++ : null
  }

  /**
   * How many messages after the last one were lost, according to the head. The head is believed when the events agree:
   * they refer to those places, or have gaps, or no longer reach back to the beginning.
   */
  const lostAfter = (end: number): number => {
    const lost = open.length === 0 && isNumber(own.head) ? own.head - end : 0
    if (lost <= 0 || lost > untraced) return 0
    const isTold =
      events.some(({ seq }) => isNumber(seq) && seq > end) ||
      !EventCheck.isComplete(rows) ||
      !events.some(({ type }) => type === "session.created")
    return isTold ? lost : 0
  }

  for (const passed of places.values()) take(passed)
  while (Chunk.isNonEmpty(progress.open)) fill(next)
  for (const row of misnumbered) {
    const seq = homeOf(row)
    const change = seq === null ? Change.loss(Change.remove(messages, row)) : Change.update(messages, row, { seq })
    findings.push(make("message-misnumbered", { session, number: Rows.text(row.seq), seq }, [change]))
  }
  // Lost messages at the end leave no gap. The head tells how many there were, the usage how many were answers.
  const isCounted = findings.length + missing.length === 0 && !hasOther
  const lost = isCounted && isNumber(own.steps) ? own.steps - answers : 0
  const last = next - 1 + lostAfter(next - 1)
  for (let count = 0; count < lost && lost <= untraced; count++) miss(next, Placeholder.assistant([]))
  while (next <= last) miss(next, placeholder(next))
  if (lost > untraced) {
    const damage = { detail: "counts more answers than it has", values: { steps: answers } }
    findings.push(...Judging.report({ session }, sessionRows, own, damage))
  }
  findings.push(...missingOf(session, missing))
  for (const call of hasOther ? [] : unseen) {
    const seq = Number(call.seq)
    findings.push(make(seq < next ? "call-answered" : "call-unasked", { session, seq }, [Change.remove(calls, call)]))
  }
  return findings
}
