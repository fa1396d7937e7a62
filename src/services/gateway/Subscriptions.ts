/**
 * Watching a session: its durable events from a cursor on, replayed and then live, without a gap or a duplicate, and
 * between them what its running step has written so far.
 *
 * Live is replay that was woken: rows past a cursor are read whenever the session is signalled. All watchers that have
 * reached a session's newest event share one reader, the session's hub; watchers that want entries have a separate hub.
 * Nothing is queued for a watcher, so a watcher that does not keep up costs nothing and loses no fact. For texts and
 * progress it gets the difference from what it has seen, and nothing of a step that was over before it looked: the
 * step's message has it all.
 *
 * A hub exists while anybody watches its session, and has the one fiber that all its watchers need. A replay that does
 * not go on live needs none.
 */
import { Chunk, Effect, Exit, Fiber, FiberSet, Option, Scope, Stream } from "effect"
import * as Live from "../../domain/Live.js"
import { Cursor, type SessionId } from "../../domain/Session.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import * as Watch from "../../domain/Watch.js"
import { EventLoop } from "../EventLoop.js"
import * as Closed from "../runtime/Closed.js"
import { LiveRuns } from "../runtime/LiveRuns.js"
import { EventSignals } from "../storage/EventSignals.js"
import { StorageReader } from "../storage/Storage.js"
import { Stretch } from "../Stretch.js"
import * as Hub from "./Hub.js"
import { Mirrors } from "./Mirrors.js"
import type { EventRange } from "./Requests.js"

type Events = Stream.Stream<SessionEvent, SkeinError.Events>

/** The next chunk of a watcher's events; None when there are no more. */
type Pull = Effect.Effect<Chunk.Chunk<SessionEvent>, Option.Option<SkeinError.Events>>

const pulls = new WeakMap<Events, Pull>()

/**
 * Returns what a stream of events pulls, for callers that only take its chunks: it spares each of many watchers the
 * machinery of a stream.
 */
export const pullOf = (events: Events): Effect.Effect<Pull, never, Scope.Scope> =>
  Effect.suspend(() => {
    const pull = pulls.get(events)
    return pull === undefined ? Stream.toPull(events) : Effect.succeed(pull)
  })

/**
 * Returns the stream of a subscription, which begins and ends with the stream. With `Stream.unwrapScoped`, each of many
 * watchers would hold a fifth more.
 */
export const streamOf = (subscribe: Effect.Effect<Events, SkeinError.Events, Scope.Scope>): Events =>
  Stream.suspend(() => {
    let scope: Scope.CloseableScope | null = null
    const begin: Pull = Effect.gen(function* () {
      const own = (scope = yield* Scope.make())
      const events = yield* Effect.mapError(Scope.extend(subscribe, own), Option.some)
      pull = yield* Scope.extend(pullOf(events), own)
      return yield* pull
    })
    let pull = begin
    return Stream.ensuring(
      Stream.repeatEffectChunkOption(Effect.suspend(() => pull)),
      Effect.suspend(() => (scope === null ? Effect.void : Scope.close(scope, Exit.void)))
    )
  })

const beforeAll = Cursor.make(0)

/** In milliseconds: watchers take about as long again to work on what was read. */
const readingMillis = 5

/** Rows of a replay read at a time: fewer when events carry their entries. */
const replayedOf = (entries: boolean): number => (entries ? 64 : 256)

/** A session has one hub for watchers that want entries and one for those that do not. */
const keyOf = (sessionId: SessionId, entries: boolean): string => `${sessionId} ${entries}`

interface OpenHub {
  readonly hub: Hub.Hub
  readonly fiber: Fiber.RuntimeFiber<never>
}

export const make = Effect.gen(function* () {
  const storage = yield* StorageReader
  const signals = yield* EventSignals
  const live = yield* LiveRuns
  const clock = yield* Effect.clock
  const { turn } = yield* EventLoop
  const stretch = yield* Stretch
  const reader: Hub.Reader = {
    draft: (sessionId) => Effect.zipRight(stretch.breathe(readingMillis), storage.draft(sessionId)),
    entry: (place) => Effect.zipRight(stretch.breathe(readingMillis), storage.entry(place)),
    events: (range) => Effect.zipRight(stretch.breathe(readingMillis), storage.events(range))
  }
  const fork = yield* FiberSet.makeRuntime()
  const isHeld = (sessionId: SessionId) =>
    Effect.match(storage.occupancy(sessionId), {
      onFailure: () => false,
      onSuccess: ({ holder }) => Option.isSome(holder)
    })
  const mirrors = (yield* Mirrors)({ clock, fork, isHeld })
  const hubs = new Map<string, OpenHub>()
  let isClosed = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      for (const { hub } of hubs.values()) hub.end(Closed.failure())
    })
  )

  /**
   * What a running step has written so far: up to date when it runs here, at most a second old when it runs elsewhere.
   */
  const liveOf = (sessionId: SessionId): Effect.Effect<Option.Option<Live.Live>, SkeinError.Read> =>
    Effect.suspend(() => {
      const here = live.get(sessionId)
      return here === undefined
        ? Effect.map(storage.draft(sessionId), Option.map(Live.ofDraft))
        : Effect.succeedSome(here)
    })

  const openHub = (sessionId: SessionId, entries: boolean): OpenHub => {
    const hub = Hub.make(sessionId, entries, { reader, signals, live, mirrors, clock, turn, fork })
    const opened = { hub, fiber: fork(hub.run) }
    if (isClosed) hub.end(Closed.failure())
    hubs.set(keyOf(sessionId, entries), opened)
    return opened
  }

  /** The session's hub, which is opened before anything is read. The last watcher that leaves closes it. */
  const hubOf = (sessionId: SessionId, entries: boolean) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const known = hubs.get(keyOf(sessionId, entries))
        const opened = known === undefined || known.hub.isGone() ? openHub(sessionId, entries) : known
        opened.hub.follow()
        return opened
      }),
      (opened) =>
        Effect.suspend(() => {
          const { fiber, hub } = opened
          if (hub.leave()) return Effect.void
          if (hubs.get(keyOf(sessionId, entries)) === opened) hubs.delete(keyOf(sessionId, entries))
          hub.close()
          return Fiber.interrupt(fiber)
        })
    )

  const deleted = (sessionId: SessionId, { cursor }: Pick<Watch.Position, "cursor">): SessionEvent => ({
    type: "session.deleted",
    sessionId,
    cursor: Cursor.make(cursor + 1),
    at: clock.unsafeCurrentTimeMillis(),
    actor: null
  })

  /** Events for one watcher: what there is already, and the rest, chunk by chunk. */
  const watcherOf = ({ after = beforeAll, entries = false, sessionId }: EventRange, hub: Hub.Hub) => {
    const replayed = replayedOf(entries)
    let own: Watch.Position = { cursor: after, seen: Watch.nothingSeen }
    /** Whether the session was there before: then its absence means that it was deleted. */
    let found = false
    let isOver = false

    const gone = Effect.sync(() => {
      isOver = true
      return Chunk.of(deleted(sessionId, own))
    })

    /** Reads on from the watcher's own cursor. */
    const readOn = Effect.suspend(() => {
      const commits = hub.commits()
      return Effect.map(reader.events({ sessionId, after: own.cursor, limit: replayed, entries }), (rows) => {
        found = true
        const [events, next] = Watch.tell(sessionId, own, rows, hub.written())
        own = next
        if (rows.length < (entries ? 1 : replayed)) hub.join(own, commits)
        return Chunk.unsafeFromArray(events)
      })
    }).pipe(Effect.catchTag("SessionNotFound", (error) => (found ? gone : error)))

    const look: Effect.Effect<Chunk.Chunk<SessionEvent>, SkeinError.Events> = Effect.suspend(() => {
      const taken = found ? hub.take(own) : "behind"
      if (taken === "gone") return gone
      if (taken === "behind") return Effect.flatMap(readOn, orLook)
      if (taken === "nothing") return Effect.zipRight(hub.next(own), look)
      own = taken.to
      return orLook(taken.events)
    })
    const orLook = (events: Chunk.Chunk<SessionEvent>) => (Chunk.isEmpty(events) ? look : Effect.succeed(events))

    const rest = Effect.suspend(() => (isOver ? Effect.fail(Option.none()) : Effect.mapError(look, Option.some)))
    return { first: readOn, rest }
  }

  /**
   * The durable events that are there, chunk by chunk, without a hub. A session may be written as fast as it is read, so
   * a replay of more than one page ends with what was the newest event once the first was read.
   */
  const replayOf = ({ after = beforeAll, entries = false, sessionId }: EventRange) => {
    const replayed = replayedOf(entries)
    let cursor: Cursor = after
    let newest: number | null = null
    let isOver = false

    const next = Effect.suspend(() => {
      const limit = newest === null ? replayed : Math.min(replayed, newest - cursor)
      return Effect.map(reader.events({ sessionId, after: cursor, limit, entries }), (rows) => {
        cursor = rows.at(-1)?.cursor ?? cursor
        isOver = rows.length < (entries ? 1 : limit) || cursor === newest
        return Chunk.unsafeFromArray<SessionEvent>(rows)
      })
    })

    const first = Effect.tap(next, () =>
      isOver
        ? Effect.void
        : storage.session(sessionId).pipe(
            Effect.map((session) => {
              newest = session.cursor
              isOver = cursor >= newest
            }),
            // The next page tells that it is gone.
            Effect.catchTag("SessionNotFound", () => Effect.void)
          )
    )

    const gone = Effect.sync(() => {
      isOver = true
      return Chunk.of(deleted(sessionId, { cursor }))
    })

    const rest = Effect.suspend(() =>
      isOver
        ? Effect.fail(Option.none())
        : Effect.mapError(
            Effect.catchTag(next, "SessionNotFound", () => gone),
            Option.some
          )
    )
    return { first, rest }
  }

  /**
   * Fails before the stream begins when the session does not exist, or when the events after the cursor are gone. The
   * stream ends with a `session.deleted`, which is made up and not stored, when the session is gone. From the beginning
   * on, the first chunk is what was there already, even when that is nothing.
   */
  const events = Effect.fnUntraced(function* (range: EventRange) {
    const { first, rest } =
      range.live === false
        ? replayOf(range)
        : watcherOf(range, (yield* hubOf(range.sessionId, range.entries ?? false)).hub)
    const there = yield* first
    const isTold = Chunk.isNonEmpty(there) || (range.after ?? beforeAll) === beforeAll
    let before: Chunk.Chunk<SessionEvent> | null = isTold ? there : null
    const pull: Pull = Effect.suspend(() => {
      if (before === null) return rest
      const told = before
      before = null
      return Effect.succeed(told)
    })
    const stream = Stream.repeatEffectChunkOption(pull)
    pulls.set(stream, pull)
    return stream
  })

  return { events, live: liveOf }
})
