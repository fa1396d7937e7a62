/**
 * Watching a session: its durable events from a cursor on, replayed and then live, without a gap or a duplicate, and
 * between them what its running step has written so far.
 *
 * Live is replay that was woken: a watcher reads the rows past its cursor whenever the session is signalled. Nothing is
 * queued for it, so one that does not keep up costs nothing and loses nothing; of texts and progress it gets the
 * difference to what it has seen.
 */
import { Chunk, Clock, Effect, Option, Stream } from "effect"
import * as Live from "../../domain/Live.js"
import { Cursor, type SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import type { Durable, SessionEvent } from "../../domain/SessionEvent.js"
import type { EventRange } from "../Gateway.js"
import { EventSignals } from "../EventSignals.js"
import { LiveRuns } from "../runtime/LiveRuns.js"
import { StorageReader } from "../Storage.js"

/** Rows read at once. */
const page = 256

interface State {
  readonly cursor: Cursor
  readonly seen: Live.Seen
  /** Whether the session was there before: then its absence means that it was deleted. */
  readonly found: boolean
}

export const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const live = yield* LiveRuns

  const liveChanges = (sessionId: SessionId, seen: Live.Seen, cursor: Cursor) => {
    const now = live.get(sessionId)
    return now === undefined ? ([[], seen] as const) : Live.changes(seen, now, { sessionId, cursor })
  }

  /** A step's message is preceded by the rest of its text, so that a watcher's text is whole when it comes. */
  const interleave = (sessionId: SessionId, rows: ReadonlyArray<Durable>, state: State) => {
    const events: Array<SessionEvent> = []
    let { cursor, seen } = state
    for (const row of rows) {
      const step = live.get(sessionId)?.step
      if (row.type === "message.appended" && row.role === "assistant" && row.seq === step?.seq) {
        const [rest, next] = liveChanges(sessionId, seen, cursor)
        events.push(...rest)
        seen = next
      }
      events.push(row)
      cursor = row.cursor
    }
    if (rows.length < page) {
      const [rest, next] = liveChanges(sessionId, seen, cursor)
      events.push(...rest)
      seen = next
    }
    return [events, { cursor, seen, found: true }] as const
  }

  const deleted = (sessionId: SessionId, cursor: Cursor, at: number): SessionEvent => ({
    type: "session.deleted",
    sessionId,
    cursor: Cursor.make(cursor + 1),
    at
  })

  /** Ends with a `session.deleted`, made up and not stored, when the session is gone. */
  const events = (range: EventRange): Stream.Stream<SessionEvent, SkeinError.Events> =>
    Stream.unwrapScoped(
      Effect.map(signals.watch(range.sessionId), (watch) => {
        const { sessionId } = range
        const pull = Effect.fnUntraced(function* (from: State) {
          let state = from
          while (true) {
            const rows = yield* reader
              .events({ sessionId, after: state.cursor, limit: page })
              .pipe(Effect.catchTag("SessionNotFound", (gone) => (state.found ? Effect.succeed(null) : gone)))
            if (rows === null) {
              const gone = deleted(sessionId, state.cursor, yield* Clock.currentTimeMillis)
              return Option.some([Chunk.of(gone), null] as const)
            }
            const [found, next] = interleave(sessionId, rows, state)
            if (found.length > 0) return Option.some([Chunk.unsafeFromArray(found), next] as const)
            state = next
            yield* watch.next
          }
        })
        const start: State = { cursor: Cursor.make(range.after), seen: Live.nothingSeen, found: false }
        return Stream.unfoldChunkEffect<State | null, SessionEvent, SkeinError.Events, never>(start, (state) =>
          state === null ? Effect.succeedNone : pull(state)
        )
      })
    )

  return { events }
})
