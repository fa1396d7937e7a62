/**
 * The runs of an editor's prompts in one session, from a prompt to its answer. They outlive a watch: when the session is
 * opened again, its next watch tells how they end.
 *
 * A prompt after a cancellation waits for the end of what was cancelled.
 */
import { Deferred, Effect } from "effect"
import type { Ref, Run, RunId } from "../../domain/Run.js"
import type { OfType } from "../../domain/SessionEvent.js"
import type * as SkeinError from "../../domain/SkeinError.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as OneByOne from "../../services/OneByOne.js"
import type { Refused } from "./Refusals.js"

/** How a run ended. */
type Ended = Pick<OfType<"run.ended">, "detail" | "runId" | "stopReason" | "usage">

/** How a prompt ended: as its run did, or because the editor stopped it in another way. */
export type End = Ended | "stopped"

export interface PromptedRuns {
  readonly isOwn: (runId: RunId) => boolean
  readonly isCancelled: (runId: RunId) => boolean
  /** Lets an effect pass while no prompt is being sent: only then is it known which runs are the editor's own. */
  readonly between: OneByOne.OneByOne
  /** Sends a prompt and waits for its end. */
  readonly follow: <E>(send: Effect.Effect<Ref, E>) => Effect.Effect<End, E | Refused>
  /** Tells that a run has ended, whoever began it. */
  readonly end: (ended: Ended) => Effect.Effect<void>
  /** Ends prompts whose runs ended while nobody watched. `isWatched` says which are told about. */
  readonly catchUp: (
    gateway: Pick<Service, "run">,
    isWatched: (run: Run) => boolean
  ) => Effect.Effect<void, SkeinError.ReadRun>
  /**
   * Cancels the run of the current prompt, otherwise the one that `other` finds, if any. A prompt that waits to be sent
   * is stopped.
   */
  readonly cancel: <E>(
    gateway: Pick<Service, "cancel">,
    other: Effect.Effect<RunId | null, E>
  ) => Effect.Effect<void, E | SkeinError.Cancel>
  /** Stops all prompts. */
  readonly close: Effect.Effect<void>
  /** Lets all prompts fail: how their runs end will not be told. */
  readonly lose: (error: Refused) => Effect.Effect<void>
}

type Waiting = Deferred.Deferred<End, Refused>

export const make = (): PromptedRuns => {
  const own = new Set<RunId>()
  const cancelled = new Set<RunId>()
  /** Cancelled runs that have not ended. */
  const ending = new Map<RunId, Deferred.Deferred<void>>()
  /** Prompts that are not sent, and those that are. */
  const unsent = new Set<Waiting>()
  const sent = new Map<RunId, Waiting>()
  const between = OneByOne.make()

  const settled = (runId: RunId) => {
    const done = ending.get(runId)
    ending.delete(runId)
    return done === undefined ? Effect.void : Deferred.succeed(done, undefined)
  }

  const end = (ended: Ended) =>
    Effect.suspend(() => {
      const waiting = sent.get(ended.runId)
      sent.delete(ended.runId)
      const told = waiting === undefined ? Effect.void : Deferred.succeed(waiting, ended)
      return Effect.zipRight(told, settled(ended.runId))
    })

  /** Sends a prompt, unless it is over by now. Returns its run. */
  const sendOnce = <E>(send: Effect.Effect<Ref, E>, waiting: Waiting) =>
    between(
      Effect.gen(function* () {
        unsent.delete(waiting)
        if (yield* Deferred.isDone(waiting)) return null
        const { runId } = yield* send
        own.add(runId)
        sent.set(runId, waiting)
        return runId
      })
    )

  const follow = <E>(send: Effect.Effect<Ref, E>) =>
    Effect.gen(function* () {
      const waiting: Waiting = yield* Deferred.make<End, Refused>()
      unsent.add(waiting)
      const ends = Effect.forEach([...ending.values()], Deferred.await, { discard: true })
      const runId = yield* Effect.raceFirst(ends, Effect.exit(Deferred.await(waiting))).pipe(
        Effect.zipRight(sendOnce(send, waiting)),
        Effect.ensuring(Effect.sync(() => unsent.delete(waiting)))
      )
      const leave = Effect.sync(() => (runId === null ? false : sent.delete(runId)))
      return yield* Effect.ensuring(Deferred.await(waiting), leave)
    })

  const all = (done: (waiting: Waiting) => Effect.Effect<boolean>) =>
    Effect.suspend(() => Effect.forEach([...unsent, ...sent.values()], done, { discard: true })).pipe(
      Effect.zipRight(Effect.suspend(() => Effect.forEach([...ending.keys()], settled, { discard: true })))
    )

  return {
    isOwn: (runId) => own.has(runId),
    isCancelled: (runId) => cancelled.has(runId),
    between,
    follow,
    end: (ended) => between(end(ended)),
    catchUp: (gateway, isWatched) =>
      Effect.gen(function* () {
        for (const runId of yield* between(Effect.sync(() => [...sent.keys(), ...ending.keys()]))) {
          const run = yield* gateway.run(runId)
          if (run.state !== "ended" || isWatched(run)) continue
          yield* between(end({ runId, stopReason: run.stopReason, detail: run.detail, usage: run.usage }))
        }
      }),
    cancel: (gateway, other) =>
      Effect.gen(function* () {
        const stop = (waiting: Waiting) => Deferred.succeed(waiting, "stopped")
        yield* Effect.suspend(() => Effect.forEach([...unsent], stop, { discard: true }))
        const runId = yield* between(
          Effect.gen(function* () {
            const [prompted] = sent.keys()
            const runId = prompted ?? (yield* other)
            if (runId === null) return null
            cancelled.add(runId)
            ending.set(runId, ending.get(runId) ?? (yield* Deferred.make<void>()))
            return runId
          })
        )
        if (runId === null) return
        yield* Effect.onError(gateway.cancel(runId), () => settled(runId))
      }),
    close: all((waiting) => Deferred.succeed(waiting, "stopped")),
    lose: (error) => all((waiting) => Deferred.fail(waiting, error))
  }
}
