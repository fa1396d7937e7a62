/**
 * The open requests, and the token of each: when a token ends, its requests end too. A request is open until it is
 * fully answered, so an event stream is open for as long as somebody listens.
 */
import { Clock, type Duration, Effect, type Scope } from "effect"
import type { Duplex, Writable } from "node:stream"
import * as HttpMetrics from "./HttpMetrics.js"
import type { SignedIn } from "./SignIn.js"

/** The stream that is closed when a request is over, and that ends the request when destroyed. */
type Closing = Writable | Duplex

export interface OpenRequest {
  readonly as: SignedIn
  /** The cookie that it came with; null for none. */
  readonly cookie: string | null
}

/** The open requests of one server. Every `period`, requests whose token is no longer `good` are ended. */
export const make = <R>(
  period: Duration.DurationInput,
  good: (as: SignedIn, now: number) => Effect.Effect<boolean, never, R>
) =>
  Effect.gen(function* () {
    const open = new Map<Closing, OpenRequest>()
    const counts = new Map<string, number>()

    const change = ({ hash }: SignedIn, by: 1 | -1): void => {
      const count = (counts.get(hash) ?? 0) + by
      HttpMetrics.open.unsafeModify(by, [])
      if (count === 0) counts.delete(hash)
      else counts.set(hash, count)
    }

    const end = (which: (request: OpenRequest) => boolean) =>
      Effect.sync(() => {
        for (const [closing, request] of open) if (which(request)) closing.destroy()
      })

    yield* Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const known = new Map([...open.values()].map(({ as }) => [as.hash, as]))
      for (const as of known.values()) {
        if (!(yield* good(as, now))) yield* end((request) => request.as.hash === as.hash)
      }
    }).pipe(Effect.delay(period), Effect.forever, Effect.forkScoped)

    return {
      /** Counts a request until `closing` is closed. */
      add: (closing: Closing, request: OpenRequest): Effect.Effect<void> =>
        Effect.sync(() => {
          open.set(closing, request)
          change(request.as, 1)
          closing.once("close", () => {
            open.delete(closing)
            change(request.as, -1)
          })
        }),
      /** How many open requests a token has. */
      countOf: ({ hash }: SignedIn): number => counts.get(hash) ?? 0,
      /** Ends all requests of a cookie. */
      endOf: (cookie: string) => end((request) => request.cookie === cookie)
    }
  }) satisfies Effect.Effect<unknown, never, R | Scope.Scope>
