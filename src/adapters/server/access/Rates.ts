/** Each token's requests per second: a bucket that holds the requests of one second, and fills at that rate. */
import { Clock, Effect } from "effect"
import { TooMany } from "../../http/RequestErrors.js"
import type { Token } from "./TokenFolder.js"

interface Bucket {
  left: number
  at: number
}

/** The buckets of one server. */
export const make = () => {
  const buckets = new Map<string, Bucket>()

  const take = ({ hash }: Token, perSecond: number, now: number): boolean => {
    const bucket = buckets.get(hash) ?? { left: perSecond, at: now }
    // A clock that is set back adds nothing.
    const since = Math.max(0, now - bucket.at)
    const left = Math.min(perSecond, bucket.left + (since * perSecond) / 1000)
    buckets.set(hash, { left: left < 1 ? left : left - 1, at: now })
    return left >= 1
  }

  return {
    /** Counts a request. */
    count: (token: Token): Effect.Effect<void, TooMany> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const { maxRequests } = token
        return maxRequests === null || take(token, maxRequests, now)
          ? Effect.void
          : new TooMany({ field: "requests", limit: `at most ${maxRequests} a second` })
      })
  }
}
