/**
 * The reference for batches. A message with calls reserves a place for each result. A result waits in its place until
 * all earlier ones are stored; then the head passes it.
 */
import { Array, Either, Option } from "effect"
import * as Batch from "../../../domain/Batch.js"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import type { Checked } from "../../../domain/Checked.js"
import type { Lease } from "../../../domain/Lease.js"
import type { CallId, Entry, ResultMessage } from "../../../domain/Message.js"
import type { RunId } from "../../../domain/Run.js"
import { Cursor, type Seq } from "../../../domain/Session.js"
import { InvalidInput, LeaseLost } from "../../../domain/SkeinError.js"
import type { StoredResult, OpenCall } from "../Storage.js"
import { answerOvertaken } from "./Answers.js"
import {
  type BatchCall,
  held,
  putSession,
  record,
  type SessionRecord,
  setTimes,
  type State,
  type Transition
} from "./State.js"
import { appendEntry } from "./Transcripts.js"

export const startCall = (
  state: State,
  at: number,
  {
    display,
    lease,
    seq
  }: { readonly lease: Lease; readonly seq: Seq; readonly display?: CallDisplay.CallDisplay | undefined }
): Transition<boolean, LeaseLost> =>
  Either.gen(function* () {
    const { kept } = yield* held(state, lease)
    if (kept.tenure.state !== "live") {
      return yield* Either.left(new LeaseLost({ sessionId: lease.sessionId, runId: lease.runId }))
    }
    const shown = display === undefined ? kept : setDisplay(kept, seq, display)
    const started = markStarted(shown, at, lease.runId, seq)
    return [started !== shown, started === shown ? state : putSession(state, started)]
  })

/** The session with the display of a pending call. */
export const setDisplay = (kept: SessionRecord, seq: Seq, display: CallDisplay.CallDisplay): SessionRecord =>
  CallDisplay.isNone(display)
    ? kept
    : Option.match(pendingPlace(kept, seq), {
        onNone: () => kept,
        onSome: ({ call, ...place }) => setPlace(kept, { ...place, call: { ...call, display } })
      })

/** The session with a pending call marked as started; the same session when no call is pending there. */
export const markStarted = (kept: SessionRecord, at: number, runId: RunId, seq: Seq): SessionRecord =>
  Option.match(pendingPlace(kept, seq), {
    onNone: () => kept,
    onSome: ({ call, ...place }) =>
      record(setPlace(kept, { ...place, call: { ...call, state: "started", startedAt: at } }), at, {
        type: "call.started",
        runId,
        callId: call.callId,
        seq,
        name: call.name,
        display: call.display
      })
  })

export const storeResult = (
  state: State,
  at: number,
  {
    lease,
    result: { value: result },
    seq
  }: { readonly lease: Lease; readonly seq: Seq; readonly result: Checked<ResultMessage> }
): Transition<StoredResult, InvalidInput | LeaseLost> =>
  Either.gen(function* () {
    const { kept } = yield* held(state, lease)
    const stored = resultAt(kept, seq)
    if (Option.isSome(stored)) {
      yield* checkCall(stored.value.callId, result)
      return [{ result: stored.value }, state]
    }
    const { call } = yield* Either.fromOption(
      placeAt(kept, seq),
      () => new InvalidInput({ field: "seq", limit: "the place of a call", actual: `${seq}` })
    )
    yield* checkCall(call.callId, result)
    const answered = answerOvertaken(state, at, kept, (ending) => ending.seq === seq)
    const completed = complete(answered.kept, at, lease.runId, call, result)
    return [{ result }, putSession(answered.state, completed)]
  })

/** The place of the call at `seq`, unless the call has a result. */
export const openPlace = (kept: SessionRecord, seq: Seq): Option.Option<BatchCall> =>
  Option.filter(placeAt(kept, seq), isOpen)

/** The same, unless the call was started. */
const pendingPlace = (kept: SessionRecord, seq: Seq): Option.Option<BatchCall> =>
  Option.filter(openPlace(kept, seq), ({ call }) => call.state === "pending")

/** Closes the open calls that `doomed` selects, as if they had completed in call order. */
export const closeCalls = (
  kept: SessionRecord,
  at: number,
  runId: RunId,
  doomed: (call: OpenCall) => boolean
): SessionRecord =>
  kept.batch
    .filter((place) => isOpen(place) && doomed(place.call))
    .reduce((kept, { call }) => complete(kept, at, runId, call, Batch.closing(call)), kept)

/** Stores a result in the place of its open call, and moves the head as far as possible. */
const complete = (
  kept: SessionRecord,
  at: number,
  runId: RunId,
  call: OpenCall,
  result: ResultMessage
): SessionRecord => {
  const { callId, display, name, seq, startedAt } = call
  const entry: Entry = { seq, runId, actor: null, at, message: result }
  const timed = setTimes(kept, seq, { startedAt, display, finished: Cursor.make(kept.session.cursor + 1) })
  const finished = record(setPlace(timed, { call, result: Option.some(entry) }), at, {
    type: "call.finished",
    runId,
    callId,
    seq,
    name,
    outcome: result.outcome,
    display
  })
  return release(finished, at)
}

/** Moves the head over the contiguous results. */
const release = (kept: SessionRecord, at: number): SessionRecord => {
  const { head } = kept.session
  const results = Array.getSomes(kept.batch.map(({ result }) => result))
  const places = new Set(results.map(({ seq }) => seq))
  const end = Batch.headAfter(head, head + kept.batch.length, (seq) => places.has(seq))
  const passed = results.filter(({ seq }) => seq <= end)
  const rest: SessionRecord = { ...kept, batch: kept.batch.slice(end - head) }
  return passed.reduce((kept, entry) => appendEntry(kept, at, entry), rest)
}

/** Whether a place has no result yet. */
export const isOpen = (place: BatchCall): boolean => Option.isNone(place.result)

const placeAt = (kept: SessionRecord, seq: Seq): Option.Option<BatchCall> =>
  Option.fromNullable(kept.batch.find(({ call }) => call.seq === seq))

/** The session with a new value for a place of the batch. */
export const setPlace = (kept: SessionRecord, place: BatchCall): SessionRecord => ({
  ...kept,
  batch: kept.batch.map((other) => (other.call.seq === place.call.seq ? place : other))
})

/** The result at this place, in the transcript or beyond the head. */
const resultAt = (kept: SessionRecord, seq: Seq): Option.Option<ResultMessage> =>
  Option.fromNullable(kept.entries[seq - 1]).pipe(
    Option.orElse(() => Option.flatMap(placeAt(kept, seq), ({ result }) => result)),
    Option.flatMap(({ message }) => (message.role === "tool" ? Option.some(message) : Option.none()))
  )

const checkCall = (callId: CallId, result: ResultMessage): Either.Either<void, InvalidInput> =>
  result.callId === callId
    ? Either.void
    : Either.left(new InvalidInput({ field: "result.callId", limit: callId, actual: result.callId }))
