/** The live parts of this engine's runs, for their watchers. In memory only: what must last is in Storage. */
import { Context, Effect, Layer } from "effect"
import type * as Live from "../../domain/Live.js"
import type { RunId } from "../../domain/Run.js"
import type { SessionId } from "../../domain/Session.js"
import * as Listeners from "../Listeners.js"

export interface Service {
  /** Returns the live part of a session whose run is live in this engine. */
  readonly get: (sessionId: SessionId) => Live.Live | undefined
  readonly set: (sessionId: SessionId, live: Live.Live) => Effect.Effect<void>
  /** Changes a live part, if there is one. */
  readonly update: (sessionId: SessionId, change: (live: Live.Live) => Live.Live) => Effect.Effect<void>
  /** Calls `listener` at each change of a session's live part. Returns a function that ends this. */
  readonly listen: (sessionId: SessionId, listener: () => void) => () => void
  /** Returns when a live part has changed since the last return. For a single waiting fiber. */
  readonly changed: Effect.Effect<void>
  /** Forgets a run's live part, unless another run's has taken its place. */
  readonly remove: (sessionId: SessionId, runId: RunId) => Effect.Effect<void>
}

export class LiveRuns extends Context.Tag("skein/LiveRuns")<LiveRuns, Service>() {}

export const layer: Layer.Layer<LiveRuns> = Layer.effect(
  LiveRuns,
  Effect.gen(function* () {
    const news = yield* Effect.makeLatch(false)
    const runs = new Map<SessionId, Live.Live>()
    const listeners = Listeners.make<SessionId>()
    const set = (sessionId: SessionId, live: Live.Live) =>
      Effect.sync(() => {
        runs.set(sessionId, live)
        news.unsafeOpen()
        listeners.call(sessionId)
      })
    const service: Service = {
      get: (sessionId) => runs.get(sessionId),
      set,
      update: (sessionId, change) =>
        Effect.suspend(() => {
          const live = runs.get(sessionId)
          return live === undefined ? Effect.void : set(sessionId, change(live))
        }),
      listen: listeners.add,
      changed: Effect.zipRight(
        news.await,
        Effect.sync(() => news.unsafeClose())
      ),
      remove: (sessionId, runId) =>
        Effect.sync(() => {
          if (runs.get(sessionId)?.runId === runId) runs.delete(sessionId)
        })
    }
    return service
  })
)
