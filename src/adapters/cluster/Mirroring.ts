/**
 * Mirrors of runs in other processes: one stream per session and process, however many watch. A stream is opened once
 * there are signs of a run that is not here, and ends with the run.
 *
 * It carries the run's events, durable ones too, so that it is known after which event each text comes. While there is
 * no stream, drafts in storage take its place.
 */
import { Effect, type Fiber, FiberId, Stream } from "effect"
import * as Mirror from "../../domain/Mirror.js"
import type { Cursor, SessionId } from "../../domain/Session.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import type { Open, Sources } from "../../services/gateway/Mirrors.js"

/** `here` says that the run is there, and that what follows begins after `after`; `beat` that it is still there. */
export type Told = "here" | "beat" | SessionEvent

/** Asks the process that may have a session's run for its events. The stream is empty if it has no such run. */
export type Ask = (sessionId: SessionId, after: Cursor) => Stream.Stream<Told, unknown>

/** A process that sends nothing for this long, not even a beat, is considered gone. */
const silence = "3 seconds"

/** Milliseconds between two attempts to find a run's process. */
const pauseMillis = 2_000

interface Entry {
  mirror: Mirror.Mirror | null
  version: number
  fiber: Fiber.RuntimeFiber<void> | null
  soughtAt: number
  hasLooked: boolean
  readonly changed: Set<() => void>
}

export const make =
  (ask: Ask) =>
  ({ clock, fork, isHeld }: Sources): Open => {
    const entries = new Map<SessionId, Entry>()

    const set = (entry: Entry, mirror: Mirror.Mirror | null): void => {
      entry.mirror = mirror
      if (mirror !== null) entry.version = mirror.version
      for (const changed of entry.changed) changed()
    }

    const follow = (entry: Entry, sessionId: SessionId, after: Cursor) =>
      ask(sessionId, after).pipe(
        Stream.timeout(silence),
        Stream.runForEach((told) =>
          Effect.sync(() => {
            if (told === "here") set(entry, Mirror.make(after, entry.version))
            else if (told !== "beat" && entry.mirror !== null) set(entry, Mirror.tell(entry.mirror, told))
          })
        ),
        Effect.catchAllCause(() => Effect.void),
        Effect.ensuring(
          Effect.sync(() => {
            if (entry.mirror !== null) set(entry, null)
          })
        )
      )

    return (sessionId, changed) => {
      const entry = entries.get(sessionId) ?? {
        mirror: null,
        version: 0,
        fiber: null,
        soughtAt: -Infinity,
        hasLooked: false,
        changed: new Set()
      }
      entries.set(sessionId, entry)
      const own = () => changed()
      entry.changed.add(own)
      const seek = (after: Cursor): void => {
        const now = clock.unsafeCurrentTimeMillis()
        const isAsking = entry.fiber !== null && entry.fiber.unsafePoll() === null
        if (isAsking || Math.abs(now - entry.soughtAt) < pauseMillis) return
        entry.soughtAt = now
        entry.fiber = fork(follow(entry, sessionId, after))
      }
      return {
        get: () => entry.mirror,
        seek,
        look: (after) => {
          if (entry.hasLooked) return Effect.void
          entry.hasLooked = true
          return Effect.map(isHeld(sessionId), (isHeld) => void (isHeld && seek(after)))
        },
        close: () => {
          entry.changed.delete(own)
          if (entry.changed.size > 0) return
          entries.delete(sessionId)
          entry.fiber?.unsafeInterruptAsFork(FiberId.none)
        }
      }
    }
  }
