/**
 * The hints that wait for one subscriber: at most one per session, in the order of the newest changes. Beyond a limit
 * one `gap` replaces them all, so a subscriber that does not read costs no more than that.
 */
import { type Cause, Chunk, Effect } from "effect"
import type { Owner, SessionId } from "../../domain/Session.js"
import type { SessionHint } from "../../domain/SessionHint.js"
import type { Read } from "../../domain/SkeinError.js"

/** Most hints that wait for a subscriber. */
const most = 1_000

/** A session's hint, and the session's owner. */
export interface OwnedHint {
  readonly sessionId: SessionId
  readonly owner: Owner | null
  readonly hint: SessionHint
}

export interface PendingHints {
  /** The owner whose sessions the subscriber gets hints for; all sessions when undefined. */
  readonly owner: Owner | undefined
  readonly tell: (hints: ReadonlyArray<OwnedHint>) => void
  /** Replaces all waiting hints with a `gap`. */
  readonly gap: () => void
  /** Ends the hints: from now on `take` fails with the cause. */
  readonly fail: (cause: Cause.Cause<Read>) => void
  /** Takes all hints that wait, as soon as there are any. */
  readonly take: Effect.Effect<Chunk.Chunk<SessionHint>, Read>
}

/** For a subscriber to one owner's sessions, or to all. */
export const make = (owner: Owner | undefined): PendingHints => {
  const hints = new Map<SessionId, SessionHint>()
  const news = Effect.unsafeMakeLatch(false)
  let isGap = false
  let failure: Cause.Cause<Read> | null = null

  const gap = () => {
    hints.clear()
    isGap = true
    news.unsafeOpen()
  }

  const take: PendingHints["take"] = Effect.suspend(() => {
    if (failure !== null) return Effect.failCause(failure)
    if (!isGap && hints.size === 0) return Effect.zipRight(news.await, take)
    const taken = Chunk.unsafeFromArray([...(isGap ? [{ kind: "gap" as const }] : []), ...hints.values()])
    hints.clear()
    isGap = false
    news.unsafeClose()
    return Effect.succeed(taken)
  })

  return {
    owner,
    tell: (all) => {
      for (const { hint, sessionId } of all) {
        hints.delete(sessionId)
        hints.set(sessionId, hint)
        news.unsafeOpen()
        if (hints.size > most) gap()
      }
    },
    gap,
    fail: (cause) => {
      failure = cause
      news.unsafeOpen()
    },
    take
  }
}
