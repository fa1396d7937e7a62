/**
 * Watching a session: its durable events from a cursor on, replayed and then live, without a gap or a duplicate, and
 * between them what its running step has written so far.
 *
 * Live is replay that was woken: a watcher reads the rows past its cursor whenever the session is signalled. Nothing is
 * queued for it, so one that does not keep up costs nothing and loses no fact; of texts and progress it gets the
 * difference to what it has seen, and nothing of a step that was over before it looked: the step's message has it all.
 * Watchers of one session at the same cursor share a read, however many they are.
 */
import { Chunk, Clock, Effect, Option, Stream } from "effect"
import * as Live from "../../domain/Live.js"
import * as Watch from "../../domain/Watch.js"
import { Cursor, type SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import type { Durable, SessionEvent } from "../../domain/SessionEvent.js"
import type { EventRange } from "./Requests.js"
import { EventSignals } from "../storage/EventSignals.js"
import * as Metrics from "../Metrics.js"
import { LiveRuns } from "../runtime/LiveRuns.js"
import { StorageReader } from "../storage/Storage.js"

const beforeAll = Cursor.make(0)

/** Rows read at once. */
const page = 256

type Rows = ReadonlyArray<Durable>

interface State {
  readonly cursor: Cursor
  readonly seen: Watch.WatcherState
  /** Whether the session was there before: then its absence means that it was deleted. */
  readonly found: boolean
}

const noChanges = (seen: Watch.WatcherState) => [[], seen] as const

export const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const live = yield* LiveRuns

  /** What a running step has written so far: at once when it runs here, within a second when it runs elsewhere. */
  const liveOf = (sessionId: SessionId): Effect.Effect<Option.Option<Live.Live>, SkeinError.Read> =>
    Effect.suspend(() => {
      const here = live.get(sessionId)
      return here === undefined
        ? Effect.map(reader.draft(sessionId), Option.map(Live.ofDraft))
        : Effect.succeedSome(here)
    })

  /** Events, a step's message preceded by the rest of its text: a watcher's text is whole when the message comes. */
  const withTexts = (sessionId: SessionId, rows: ReadonlyArray<Durable>, state: State) => {
    const events: Array<SessionEvent> = []
    let { cursor, seen } = state
    for (const row of rows) {
      const now = live.get(sessionId)
      if (
        row.type === "message.appended" &&
        row.role === "assistant" &&
        now !== undefined &&
        row.seq === now.step?.seq
      ) {
        const [rest, next] = Watch.stepChanges(seen, now, { sessionId, cursor })
        events.push(...rest)
        seen = next
      }
      // Whoever goes on with the run begins the text of its step again.
      if (row.type === "run.released") seen = Watch.nothingSeen
      events.push(row)
      cursor = row.cursor
    }
    return [events, { cursor, seen, found: true }] as const
  }

  /** What was read last of each watched session. */
  const latest = new Map<SessionId, { readonly after: Cursor; readonly version: number; readonly rows: Rows }>()

  /** The rows after a cursor. Those whom one signal wakes share what the first of them reads. */
  const readRows = (sessionId: SessionId, after: Cursor): Effect.Effect<Rows, SkeinError.Events> =>
    Effect.suspend(() => {
      const version = signals.version(sessionId)
      const known = latest.get(sessionId)
      if (known?.after === after && known.version === version) return Effect.succeed(known.rows)
      return Effect.map(reader.events({ sessionId, after, limit: page }), (rows) => {
        latest.set(sessionId, { after, version, rows })
        return rows
      })
    })

  /** A session's watch; what was read for it is forgotten with it. */
  const watchOf = (sessionId: SessionId) =>
    Effect.zipRight(
      Effect.addFinalizer(() => Effect.sync(() => latest.delete(sessionId))),
      signals.watch(sessionId)
    )

  const deleted = (sessionId: SessionId, cursor: Cursor, at: number): SessionEvent => ({
    type: "session.deleted",
    sessionId,
    cursor: Cursor.make(cursor + 1),
    at
  })

  const measureLag = (rows: ReadonlyArray<Durable>) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      for (const { at } of rows) Metrics.eventLag.unsafeUpdate(Math.max(0, now - at), [])
    })

  /** Ends with a `session.deleted`, made up and not stored, when the session is gone. */
  const events = (range: EventRange): Stream.Stream<SessionEvent, SkeinError.Events> =>
    Stream.unwrapScoped(
      Effect.map(watchOf(range.sessionId), (watch) => {
        const { sessionId } = range
        const pull = Effect.fnUntraced(function* (from: State) {
          let state = from
          let waited = false
          while (true) {
            // Looked at before the rows: when there are none, everything before it has been reported.
            const now = yield* liveOf(sessionId)
            const rows = yield* readRows(sessionId, state.cursor).pipe(
              Effect.catchTag("SessionNotFound", (gone) => (state.found ? Effect.succeed(null) : gone))
            )
            if (rows === null) {
              const gone = deleted(sessionId, state.cursor, yield* Clock.currentTimeMillis)
              return Option.some([Chunk.of(gone), null] as const)
            }
            if (rows.length > 0) {
              if (waited) yield* measureLag(rows)
              const [events, next] = withTexts(sessionId, rows, state)
              return Option.some([Chunk.unsafeFromArray(events), next] as const)
            }
            const { cursor } = state
            const [events, seen] = Option.match(now, {
              onNone: () => noChanges(state.seen),
              onSome: (now) => Watch.changes(state.seen, now, { sessionId, cursor })
            })
            state = { cursor, seen, found: true }
            if (events.length > 0) return Option.some([Chunk.fromIterable(events), state] as const)
            yield* watch.next
            waited = true
          }
        })
        const start: State = { cursor: range.after ?? beforeAll, seen: Watch.nothingSeen, found: false }
        return Stream.unfoldChunkEffect<State | null, SessionEvent, SkeinError.Events, never>(start, (state) =>
          state === null ? Effect.succeedNone : pull(state)
        )
      })
    )

  return { events, live: liveOf }
})
