/**
 * Whether every place of a transcript has a message that decodes, in an order that a provider accepts. A place without
 * one gets a message that says so, in the same place and of the same role, as near as the rest of the session tells.
 */
import { Effect, Either, Option, Stream } from "effect"
import type { Entry } from "../../../domain/Message.js"
import type { RowDamaged, SessionNotFound, StorageFailed } from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import { type EntryRow, decodeEntries } from "../../../services/storage/sql/Transcripts.js"
import * as Transcripts from "../../../services/storage/sql/Transcripts.js"
import { beyondRepair, damage, type Finding } from "./Finding.js"
import { place, type Subject } from "./Subject.js"
import * as TranscriptRepair from "./TranscriptRepair.js"

/** Most places in a row that are filled; more of them are no gap but a number that is wrong. */
const longestGap = 100_000

type Failed = SessionNotFound | StorageFailed

/** Follows the transcript; null from a damaged place on up to the next message that may begin anything. */
type Following = Transcript.State | null

const follow = (subject: Subject, state: Following, { message, seq }: Entry): readonly [Following, string | null] => {
  if (state === null && message.role === "tool") return [null, null]
  const before = state ?? Transcript.empty(subject.id)
  return Either.match(Transcript.append({ ...before, head: seq - 1 }, message), {
    onLeft: ({ reason }) => [null, reason],
    onRight: (next) => [next, null]
  })
}

/** What is wrong up to the head. */
const read = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, Failed> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    let state: Following = Transcript.empty(subject.id)
    let from = 1
    const take = (entry: Entry) => {
      const [next, reason] = follow(subject, state, entry)
      state = next
      from = entry.seq + 1
      if (reason !== null) {
        findings.push(
          beyondRepair(
            place(subject, entry.seq),
            `the message may not stand there (${reason})`,
            "nothing has to be done: models are sent the transcript in a form that they accept"
          )
        )
      }
    }
    while (true) {
      const failure: Option.Option<RowDamaged> = yield* Transcripts.stream(subject.query, {
        sessionId: subject.id,
        from
      }).pipe(
        Stream.runForEach((entry) => Effect.sync(() => take(entry))),
        Effect.as(Option.none<RowDamaged>()),
        Effect.catchTag("RowDamaged", (error) => Effect.succeed(Option.some(error)))
      )
      if (Option.isNone(failure)) return findings
      const { detail, seq } = failure.value
      const at = seq ?? from
      const last = yield* lastOfGap(subject, at)
      findings.push(last === null ? undecodable(subject, at, detail) : missing(subject, at, last))
      state = null
      from = (last ?? at) + 1
    }
  })

/** The last of the places without a row that begin at `seq`; null when that has one. */
const lastOfGap = (subject: Subject, seq: number): Effect.Effect<number | null, StorageFailed> =>
  Effect.map(
    subject.query<{ readonly next: number | null; readonly head: number }>(
      "look for the next place",
      `SELECT (SELECT min(seq) FROM messages WHERE session = sessions.ordinal AND seq >= ?) AS next, head
       FROM sessions WHERE ordinal = ?`,
      seq,
      subject.ordinal
    ),
    ([row]) => (row?.next === seq ? null : Math.min(row?.next ?? Infinity, (row?.head ?? seq) + 1) - 1)
  )

/** What is wrong beyond the head: in the open batch, where calls wait and results wait for earlier ones. */
const readBatch = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const { ordinal, query } = subject
    const [session] = yield* query<{ readonly head: number; readonly isHeld: number }>(
      "look at the session",
      `SELECT head, EXISTS (SELECT 1 FROM runs WHERE runs.session = sessions.ordinal AND runs.state = 'running') AS isHeld
       FROM sessions WHERE ordinal = ?`,
      ordinal
    )
    const head = session?.head ?? 0
    const results = yield* query<EntryRow>(
      "look at the results",
      "SELECT seq, NULL AS runId, at, body FROM messages WHERE session = ? AND seq > ? ORDER BY seq",
      ordinal,
      head
    )
    const calls = yield* query<{ readonly seq: number }>(
      "look at the open calls",
      "SELECT seq FROM calls WHERE session = ? ORDER BY seq",
      ordinal
    )
    const findings: Array<Finding> = []
    const answered = new Set(results.map(({ seq }): number => seq))
    const places = [...answered, ...calls.map(({ seq }) => seq).filter((seq) => !answered.has(seq))]
    let last = head
    for (const seq of places.toSorted((a, b) => a - b)) {
      if (seq > last + 1) findings.push(missing(subject, last + 1, seq - 1))
      last = seq
    }
    for (const row of results) {
      const decoded = decodeEntries(subject.id, [row])
      if (Either.isLeft(decoded)) findings.push(undecodable(subject, row.seq, decoded.left.detail))
    }
    for (const { seq } of calls) {
      if (answered.has(seq)) findings.push(answeredCall(subject, seq))
      else if (session?.isHeld === 0) findings.push(abandonedCall(subject, seq))
    }
    return findings
  })

const undecodable = (subject: Subject, seq: number, detail: string): Finding =>
  damage(
    place(subject, seq),
    `the message ${detail}`,
    "another takes its place that says so, and what is stored now is moved aside",
    TranscriptRepair.replace(subject, seq)
  )

const missing = (subject: Subject, first: number, last: number): Finding => {
  const what = first === last ? "the message is missing" : "the messages are missing"
  return last - first > longestGap
    ? beyondRepair(place(subject, first, last), what, "restore a backup, or delete the session")
    : damage(
        place(subject, first, last),
        what,
        "a message that says so takes the place of each",
        TranscriptRepair.fill(subject, first, last)
      )
}

const answeredCall = (subject: Subject, seq: number): Finding =>
  damage(
    place(subject, seq),
    "a call is open that has its result",
    "the result stays, and the open call is moved aside",
    TranscriptRepair.dropCall(subject, seq)
  )

const abandonedCall = (subject: Subject, seq: number): Finding =>
  damage(
    place(subject, seq),
    "a call is open, and no run is there to finish it",
    "it gets a result that says what is known of it",
    TranscriptRepair.closeCall(subject, seq)
  )

/** Looks at all of a session's messages and open calls. */
export const check = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, Failed> =>
  Effect.zipWith(read(subject), readBatch(subject), (before, beyond) => [...before, ...beyond])
