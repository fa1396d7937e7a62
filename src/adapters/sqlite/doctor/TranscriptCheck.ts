/**
 * Whether every place of a transcript has a message that decodes, in an order that a provider accepts, and whether each
 * open call can still get its result.
 */
import { Effect, Either, Option, Stream } from "effect"
import type { Entry } from "../../../domain/Message.js"
import type { RowDamaged, SessionNotFound, StorageFailed } from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import { type EntryRow, decodeEntries } from "../../../services/storage/sql/Transcripts.js"
import * as Transcripts from "../../../services/storage/sql/Transcripts.js"
import { type Finding, make, type SessionKey } from "./Finding.js"

/** Most places in a row that are filled. More of them are no gap: a number is wrong. */
const longestGap = 100_000

const missing = (session: SessionKey, first: number, last: number): Finding =>
  make(last - first > longestGap ? "too-many-missing" : "messages-missing", { session, first, last })

/** The transcript so far; null from a damaged place up to the next message that may begin anything. */
type Progress = Transcript.State | null

/** The progress after an entry, and why the entry is not allowed there. */
const step = (session: SessionKey, before: Progress, { message, seq }: Entry): readonly [Progress, string | null] => {
  if (before === null && message.role === "tool") return [null, null]
  return Either.match(Transcript.append({ ...(before ?? Transcript.empty(session.id)), head: seq - 1 }, message), {
    onLeft: ({ reason }) => [null, reason],
    onRight: (after) => [after, null]
  })
}

/** What is wrong up to the head. */
const checkAppended = (query: Query, session: SessionKey) =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    let progress: Progress = Transcript.empty(session.id)
    let from = 1
    const take = (entry: Entry) => {
      const [after, reason] = step(session, progress, entry)
      progress = after
      from = entry.seq + 1
      if (reason !== null) findings.push(make("message-misplaced", { session, seq: entry.seq, reason }))
    }
    while (true) {
      const damage: Option.Option<RowDamaged> = yield* Transcripts.stream(query, { sessionId: session.id, from }).pipe(
        Stream.runForEach((entry) => Effect.sync(() => take(entry))),
        Effect.as(Option.none<RowDamaged>()),
        Effect.catchTag("RowDamaged", (error) => Effect.succeed(Option.some(error)))
      )
      if (Option.isNone(damage)) return findings
      const { detail, seq } = damage.value
      const first = seq ?? from
      const last = yield* lastOfGap(query, session, first)
      findings.push(
        last === null ? make("message-damaged", { session, seq: first, detail }) : missing(session, first, last)
      )
      progress = null
      from = (last ?? first) + 1
    }
  })

/** The last of the places without a row that begin at `seq`; null when that has one. */
const lastOfGap = (query: Query, { ordinal }: SessionKey, seq: number): Effect.Effect<number | null, StorageFailed> =>
  Effect.map(
    query<{ readonly next: number | null; readonly head: number }>(
      "look for the next place",
      `SELECT (SELECT min(messages.seq) FROM messages WHERE messages.session = sessions.ordinal AND messages.seq >= ?)
         AS next, sessions.head FROM sessions WHERE sessions.ordinal = ?`,
      seq,
      ordinal
    ),
    ([row]) => (row?.next === seq ? null : Math.min(row?.next ?? Infinity, (row?.head ?? seq) + 1) - 1)
  )

/** What is wrong beyond the head: in the open batch, where calls wait and results wait for earlier ones. */
const checkBatch = (query: Query, session: SessionKey): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const [state] = yield* query<{ readonly head: number; readonly isHeld: number }>(
      "look at the session",
      `SELECT sessions.head,
         EXISTS (SELECT 1 FROM runs WHERE runs.session = sessions.ordinal AND runs.state = 'running') AS isHeld
       FROM sessions WHERE sessions.ordinal = ?`,
      session.ordinal
    )
    const head = state?.head ?? 0
    const results = yield* query<EntryRow>(
      "look at the results",
      "SELECT seq, NULL AS runId, at, body FROM messages WHERE session = ? AND seq > ? ORDER BY seq",
      session.ordinal,
      head
    )
    const calls = yield* query<{ readonly seq: number }>(
      "look at the open calls",
      "SELECT seq FROM calls WHERE session = ? ORDER BY seq",
      session.ordinal
    )
    const findings: Array<Finding> = []
    const answered = new Set(results.map(({ seq }): number => seq))
    let last = head
    for (const seq of [...new Set([...answered, ...calls.map(({ seq }) => seq)])].toSorted((a, b) => a - b)) {
      if (seq > last + 1) findings.push(missing(session, last + 1, seq - 1))
      last = seq
    }
    for (const row of results) {
      const decoded = decodeEntries(session.id, [row])
      if (Either.isRight(decoded)) continue
      findings.push(make("message-damaged", { session, seq: row.seq, detail: decoded.left.detail }))
    }
    for (const { seq } of calls) {
      if (answered.has(seq)) findings.push(make("call-answered", { session, seq }))
      else if (state?.isHeld === 0) findings.push(make("call-abandoned", { session, seq }))
    }
    return findings
  })

/** Looks at all of a session's messages and open calls. */
export const check = (
  query: Query,
  session: SessionKey
): Effect.Effect<ReadonlyArray<Finding>, SessionNotFound | StorageFailed> =>
  Effect.zipWith(checkAppended(query, session), checkBatch(query, session), (before, beyond) => [...before, ...beyond])
