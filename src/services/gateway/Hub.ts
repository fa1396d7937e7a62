/**
 * The hub of one session: it reads once for all who watch the session.
 *
 * A follower is a position and nothing else: no queue is kept for it.
 *
 * - Followers that were where the hub was all get the same newest chunk.
 * - A follower that is a little behind takes what it lacks from the newest events, which the hub keeps while any
 *   follower is behind.
 * - A follower that is further behind reads for itself, from its own cursor, until it is near again.
 *
 * So a follower that does not read costs no more than what is kept for all, and loses no fact.
 *
 * Deltas never overtake durable events:
 *
 * - A run of this engine: its commits are signalled before it goes on, and so before it writes anything after them.
 *   When no signal has come since the last reading, all commits were told, and deltas are told without a reading.
 * - A run elsewhere whose process reports it (see `Mirrors`): its deltas are told here while both processes have told
 *   the same durable events. A step's text may arrive after the step's message was read; then the message has the rest.
 * - Any other run: its draft is read before the events, and told after them unless they show that its step may be over.
 *
 * Deltas are told at most every 40 ms, and a commit ends that pause. A follower that comes in the middle of a step gets
 * everything that the others have seen of the step as one delta.
 */
import { Cause, Chunk, type Clock, Effect, Exit, Option } from "effect"
import * as Live from "../../domain/Live.js"
import type { AssistantMessage } from "../../domain/Message.js"
import type { Cursor, SessionId } from "../../domain/Session.js"
import type { Durable, SessionEvent } from "../../domain/SessionEvent.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import * as Watch from "../../domain/Watch.js"
import type { Turn } from "../EventLoop.js"
import * as Metrics from "../Metrics.js"
import type { LiveRuns } from "../runtime/LiveRuns.js"
import type { EventSignals } from "../storage/EventSignals.js"
import type { ReaderService } from "../storage/Storage.js"
import type * as Mirrors from "./Mirrors.js"

/** Rows read at a time, and most events kept for followers that are behind: fewer when events carry their entries. */
const pageOf = (entries: boolean): number => (entries ? 32 : 256)

/** Between two deltas, in milliseconds. */
const deltaMillis = 40

/** Followers that are woken before other work has a turn. */
const wokenAtOnce = 250

/** Events, and the position of a follower once it was told them. */
interface Told {
  readonly _tag: "Told"
  readonly events: Chunk.Chunk<SessionEvent>
  readonly to: Watch.Position
}

/** What there is for a follower: events, nothing yet, events that it has to read for itself, or the session's end. */
type Taken = Told | "nothing" | "behind" | "gone"

export interface Hub {
  readonly take: (own: Watch.Position) => Taken
  /** Returns once there may be something for a follower to take. */
  readonly next: (own: Watch.Position) => Effect.Effect<void, SkeinError.Events>
  /** The newest live part, of a run of this engine or as mirrored from elsewhere, even if the run is over. */
  readonly written: () => Live.Live | undefined
  /** Commits that were signalled so far. */
  readonly commits: () => number
  /**
   * Lets a follower join that has read all events up to its position; `commits` had been signalled before it read. The
   * hub goes on from that position, unless other followers have already brought it as far.
   */
  readonly join: (own: Watch.Position, commits: number) => void
  /** Whether the session is gone. Whatever has its id after that is another session. */
  readonly isGone: () => boolean
  readonly follow: () => void
  /** Returns false when nobody follows any more. */
  readonly leave: () => boolean
  /** Reads and tells for as long as it runs. */
  readonly run: Effect.Effect<never>
  /** Stops listening. */
  readonly close: () => void
  /** From now on nothing more is told: whoever waits fails with the error. */
  readonly end: (error: SkeinError.Read) => void
}

/** Whether an event may end the step that a draft belongs to. */
const isOfRun = (event: Durable): boolean => "runId" in event

type Appended = Extract<Durable, { readonly type: "message.appended" }>

/** Whether an event is about a step's message: the step's text is told before it. */
const isAnswer = (event: Durable): event is Appended =>
  event.type === "message.appended" && event.role === "assistant" && event.runId !== null

const atOnce = { concurrency: "unbounded" } as const

/** What a hub reads. */
export type Reader = Pick<ReaderService, "draft" | "entry" | "events">

interface Sources {
  readonly reader: Reader
  readonly signals: EventSignals["Type"]
  readonly live: LiveRuns["Type"]
  readonly mirrors: Mirrors.Open
  readonly clock: Clock.Clock
  readonly turn: Turn
  readonly fork: (effect: Effect.Effect<void>) => void
}

export const make = (
  sessionId: SessionId,
  entries: boolean,
  { clock, fork, live, mirrors, reader, signals, turn }: Sources
): Hub => {
  const page = pageOf(entries)
  let followers = 0
  let commits = 0
  /** Commits that had been signalled before the last reading that reached all events. */
  let read = 0
  /** Where the hub is; null until a follower joins, also after a failure. */
  let position: Watch.Position | null = null
  /** What its followers have seen of the live part; null when that must be found out. */
  let shown: Option.Option<Live.Live> | null = null
  /** The newest events up to its position, without a gap. */
  let kept: ReadonlyArray<Durable> = []
  /** The messages of those events for which the process of a run elsewhere had not told the whole text. */
  let answers: Watch.Answers = new Map()
  let last: (Told & { readonly from: Watch.Position }) | null = null
  let pausedUntil = 0
  /** Whether a follower waits at a position that is not the hub's. */
  let hasStrays = false
  let isGone = false
  let isOver: Effect.Effect<never, SkeinError.Read> | null = null
  const waiting = new Set<(woken: Effect.Effect<void, SkeinError.Events>) => void>()
  /** Wakes `run` when it waits. */
  let goOn = (): void => {}
  let isPausing = false
  /** The newest live part here, even when its run is over: the event of its last message may not have been read yet. */
  let newest: Live.Live | undefined

  const wakeUnlessPausing = (now: Live.Live | undefined): void => {
    if (!isPausing || pauseBefore(now) === 0) goOn()
  }

  /** The cursor up to which the process of a run elsewhere has told events: the hub reads its rows as far. */
  let mirrored: Cursor | null = null
  const mirror = mirrors(sessionId, () => {
    const now = mirror.get()
    newest = now?.live ?? newest
    if (now?.cursor !== mirrored) {
      mirrored = now?.cursor ?? null
      if (now === null || position === null || now.cursor > position.cursor) commits++
    }
    wakeUnlessPausing(now?.live ?? undefined)
  })

  const ends = [
    mirror.close,
    signals.listen(sessionId, () => {
      commits++
      goOn()
    }),
    live.listen(sessionId, () => {
      newest = live.get(sessionId)
      wakeUnlessPausing(newest)
    })
  ]

  /** Milliseconds for which new text must wait. Any other news of the live part is told immediately. */
  const pauseBefore = (now: Live.Live | undefined): number =>
    now !== undefined && shown !== null && Option.isSome(shown) && Watch.isMoreOfSame(shown.value, now)
      ? Math.max(0, pausedUntil - clock.unsafeCurrentTimeMillis())
      : 0

  const written = () => live.get(sessionId) ?? newest

  /** Waits until `goOn` is called, unless there is a reason to go on already. */
  const waitUnless = (isReady: () => boolean) =>
    Effect.async<void>((resume) => {
      goOn = () => resume(Effect.void)
      if (isReady()) goOn()
    })

  /** Waits until a commit, or for some milliseconds. */
  const pauseFor = (millis: number) =>
    Effect.suspend(() => {
      isPausing = true
      fork(
        Effect.zipRight(
          Effect.sleep(millis),
          Effect.sync(() => goOn())
        )
      )
      return Effect.ensuring(
        waitUnless(() => read !== commits),
        Effect.sync(() => (isPausing = false))
      )
    })

  /** The live part of a run of this engine, or of a mirrored run, for followers that were told all up to `cursor`. */
  const liveAt = (cursor: Cursor): Live.Live | undefined => {
    const own = live.get(sessionId)
    if (own !== undefined) return own
    const told = mirror.get()
    return told?.cursor === cursor ? (told.live ?? undefined) : undefined
  }

  /** The same, once everything that comes before it was told. */
  const here = (cursor = position?.cursor) => (read === commits && cursor !== undefined ? liveAt(cursor) : undefined)

  /**
   * Whether there is something to find out or to tell. While nobody waits, the hub reads only as many events as it
   * keeps for followers that come back, and no deltas.
   */
  const hasNews = (): boolean => {
    if (position === null || isGone) return false
    if (read !== commits || shown === null) return waiting.size > 0 || kept.length < page
    const now = liveAt(position.cursor)
    return waiting.size > 0 && now !== undefined && now !== Option.getOrUndefined(shown)
  }

  const wake = (woken: Effect.Effect<void, SkeinError.Events>) =>
    Effect.suspend(() => {
      const all = [...waiting]
      waiting.clear()
      hasStrays = false
      const wakeFrom = (from: number): Effect.Effect<void> => {
        const to = from + wokenAtOnce
        for (const resume of all.slice(from, to)) resume(woken)
        return to < all.length
          ? Effect.zipRight(
              turn,
              Effect.suspend(() => wakeFrom(to))
            )
          : Effect.void
      }
      // Whoever is not in the set any more is woken even if the engine is closed meanwhile.
      return Effect.uninterruptible(wakeFrom(0))
    })

  /** Moves the hub over events and to a live part. Returns whether that is news for a follower that waits. */
  const move = (
    from: Watch.Position,
    rows: ReadonlyArray<Durable>,
    show: typeof shown,
    more: ReadonlyArray<readonly [Cursor, AssistantMessage]> = []
  ): boolean => {
    if (more.length > 0) answers = new Map([...answers, ...more])
    const [events, next] = Watch.tell(sessionId, from, rows, written(), answers)
    const [deltas, seen] =
      show === null || Option.isNone(show)
        ? [[], next.seen]
        : Watch.changes(next.seen, show.value, { sessionId, cursor: next.cursor })
    const isFound = shown === null && show !== null && hasStrays
    shown = show
    if (rows.length > 0) kept = [...(waiting.size === followers ? [] : kept), ...rows].slice(-page)
    const [oldest] = kept
    if (answers.size > 0 && oldest !== undefined)
      answers = new Map([...answers].filter(([cursor]) => cursor >= oldest.cursor))
    if (events.length + deltas.length === 0) return isFound
    if (deltas.length > 0) pausedUntil = clock.unsafeCurrentTimeMillis() + deltaMillis
    position = { cursor: next.cursor, seen }
    last = { _tag: "Told", from, events: Chunk.unsafeFromArray([...events, ...deltas]), to: position }
    return true
  }

  const measureLag = (rows: ReadonlyArray<Durable>): void => {
    const now = clock.unsafeCurrentTimeMillis()
    for (const { at } of rows) Metrics.eventLag.unsafeUpdate(Math.max(0, now - at), [])
  }

  /** Whether an event is about a message whose text the process of its run tells, but has not told to its end. */
  const isUntold = (event: Durable): event is Appended => {
    const told = live.get(sessionId) === undefined ? mirror.get() : null
    return told !== null && isAnswer(event) && (told.cursor < event.cursor || newest?.step?.seq !== event.seq)
  }

  const answerOf = ({ cursor, entry, seq }: Appended) =>
    (entry === undefined ? reader.entry({ sessionId, seq }) : Effect.succeed(entry)).pipe(
      Effect.map(({ message }) => (message.role === "assistant" ? [[cursor, message] as const] : [])),
      Effect.catchTag("MessageNotFound", () => Effect.succeed([]))
    )

  const readOn = Effect.fnUntraced(function* (from: Watch.Position) {
    const before = commits
    const own = live.get(sessionId)
    const draft =
      own !== undefined
        ? Option.some(own)
        : mirror.get() !== null
          ? Option.none()
          : Option.map(yield* reader.draft(sessionId), Live.ofDraft)
    const rows = yield* reader.events({ sessionId, after: from.cursor, limit: page, entries })
    if (own === undefined) yield* mirror.look(rows.at(-1)?.cursor ?? from.cursor)
    const more = own === undefined ? yield* Effect.forEach(rows.filter(isUntold), answerOf, atOnce) : []
    // All followers that waited have left meanwhile, and later ones have gone on from elsewhere.
    if (position !== from) return
    const isWhole = rows.length < (entries ? 1 : page)
    if (isWhole) read = before
    measureLag(rows)
    const cursor = rows.at(-1)?.cursor ?? from.cursor
    const isElsewhere = live.get(sessionId) === undefined
    if (isElsewhere && (Option.isSome(draft) || rows.some(isOfRun))) mirror.seek(cursor)
    const now = here(cursor)
    const show =
      now !== undefined
        ? Option.some(now)
        : isElsewhere && mirror.get() !== null
          ? Option.none()
          : rows.some(isOfRun)
            ? null
            : draft
    if (move(from, rows, isWhole ? show : null, more.flat())) {
      yield* wake(Effect.void)
    }
  })

  /**
   * Wakes the followers that wait. After `CursorGone` they only look again: events may have aged out where the hub was
   * that followers ahead of it already have.
   */
  const failed = (cause: Cause.Cause<SkeinError.Events>) => {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    isGone = error?._tag === "SessionNotFound"
    if (!isGone) position = null
    return wake(isGone || error?._tag === "CursorGone" ? Effect.void : Effect.failCause(cause))
  }

  const step = Effect.suspend((): Effect.Effect<unknown> => {
    if (position === null || !hasNews()) return waitUnless(hasNews)
    const now = here()
    if (now === undefined || shown === null) {
      return Effect.flatMap(Effect.exit(readOn(position)), (exit) =>
        Exit.isFailure(exit) ? failed(exit.cause) : Effect.void
      )
    }
    const pause = pauseBefore(now)
    if (pause > 0) return pauseFor(pause)
    return move(position, [], Option.some(now)) ? wake(Effect.void) : Effect.void
  })

  // Not `forever`, which lets all other fibers go first each time: the next commit may remove what there is to read.
  const run: Effect.Effect<never> = Effect.suspend(() => Effect.flatMap(step, () => run))

  const take = (own: Watch.Position): Taken => {
    if (position === null) return "behind"
    if (own === last?.from) return last
    if (own === position || own.cursor > position.cursor) return isGone ? "gone" : "nothing"
    const missing = position.cursor - own.cursor
    if (missing > kept.length) return "behind"
    const rows = kept.slice(kept.length - missing)
    const [events, next] = Watch.tell(sessionId, own, rows, written(), answers)
    if (shown === null && !isGone) {
      return events.length === 0 ? "nothing" : { _tag: "Told", events: Chunk.unsafeFromArray(events), to: next }
    }
    const deltas =
      shown === null || Option.isNone(shown)
        ? []
        : Watch.changes(next.seen, shown.value, { sessionId, cursor: next.cursor })[0]
    return { _tag: "Told", events: Chunk.unsafeFromArray([...events, ...deltas]), to: position }
  }

  return {
    take,
    next: (own) =>
      Effect.async((resume) => {
        if (take(own) !== "nothing") return resume(Effect.void)
        if (isOver !== null) return resume(isOver)
        waiting.add(resume)
        hasStrays ||= own !== position
        if (hasNews()) goOn()
        return Effect.sync(() => waiting.delete(resume))
      }),
    written,
    commits: () => commits,
    join: (own, before) => {
      if (position !== null && (waiting.size > 0 || own.cursor < position.cursor)) return
      if (position === null || own.cursor > position.cursor) {
        position = own
        shown = null
        kept = []
        last = null
        read = before
      }
      const now = here()
      if (now !== undefined) move(position, [], Option.some(now))
    },
    isGone: () => isGone,
    follow: () => void followers++,
    leave: () => --followers > 0,
    run,
    close: () => ends.forEach((end) => end()),
    end: (error) => {
      isOver = Effect.fail(error)
      for (const resume of waiting) resume(isOver)
      waiting.clear()
    }
  }
}
