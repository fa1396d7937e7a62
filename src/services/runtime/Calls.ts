/**
 * Runs one call of a batch, from its raw input to its one stored result:
 *
 *   1. its input is read, and so its key is known; calls take their slots of a key in call order;
 *   2. permission: the policy's decision, and a human's where the policy asks for it. The call has not started;
 *   3. it waits until it is first among the calls of its key, then for one of the slots when parallelism is limited;
 *   4. `started` is committed, then the handler runs, in a fiber of its own that nobody has to wait for;
 *   5. whatever it returned becomes one bounded result, which is committed.
 *
 * Between a handler's exit and its committed result nothing can be interrupted. Interrupted before, a call leaves no
 * result: the run's end closes it by what is stored of it. A handler that goes on after it was given up keeps its slot
 * of the key; what it still returns is dropped.
 */
import { Duration, Effect, Exit, Fiber, Metric, Option } from "effect"
import * as Live from "../../domain/Live.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Metrics from "../Metrics.js"
import { Storage } from "../storage/Storage.js"
import * as Tool from "../Tool.js"
import * as CallReading from "./CallReading.js"
import { type CallRun, idsOf, type RunContext } from "./CallRun.js"
import * as HandlerResult from "./HandlerResult.js"
import * as KeyQueues from "./KeyQueues.js"
import { LiveRuns } from "./LiveRuns.js"
import * as PermissionCheck from "./PermissionCheck.js"
import * as ResultStore from "./ResultStore.js"
import { ToolFibers } from "./ToolFibers.js"

/** A call that can run. */
interface PlannedCall extends Omit<CallReading.AcceptedCall, "_tag"> {
  readonly _tag: "Planned"
  readonly queueSlot: KeyQueues.QueueSlot
  /** Whether the handler was started: from then on the slot is left when the handler's fiber is done. */
  isStarted: boolean
  /** Whether the handler's time is over: what it still reports is dropped. */
  isOver: boolean
}

/** A call that can run, or the reason why it cannot. */
export type CallPlan = CallReading.RefusedCall | PlannedCall

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const config = yield* EngineConfig
  const live = yield* LiveRuns
  const fibers = yield* ToolFibers
  const readings = yield* CallReading.make
  const permissions = yield* PermissionCheck.make
  const results = yield* ResultStore.make
  const keys = KeyQueues.make(1)
  const slots = config.toolConcurrency === "unbounded" ? null : KeyQueues.make(config.toolConcurrency)

  /** Takes the slots of a batch's calls, in call order. Its caller gives them to `leave` at the end. */
  const plan = ({ session }: RunContext, batch: ReadonlyArray<CallReading.CallReading>): ReadonlyArray<CallPlan> =>
    batch.map((reading) => {
      if (reading._tag === "Refused") return reading
      const { key } = reading.prepared
      const queueSlot = key === null ? KeyQueues.free : keys.take(`${session.id}\n${key}`)
      return { ...reading, _tag: "Planned", queueSlot, isStarted: false, isOver: false }
    })

  /** Leaves the slot of a call that will not start. Calling it again does nothing. */
  const leave = (plan: CallPlan): void => {
    if (plan._tag === "Planned" && !plan.isStarted) plan.queueSlot.leave()
  }

  /**
   * Waits until a call is first among those of its key. Waiting is not the call's own time, however long it takes: each
   * call before it has a limit. False when one of them was given up and goes on all the same, for a limit's time.
   */
  const admission = ({ queueSlot }: Pick<PlannedCall, "queueSlot">, limit: Duration.Duration): Effect.Effect<boolean> =>
    Effect.flatMap(Effect.timeoutOption(queueSlot.admitted, limit), (admitted) =>
      Option.isSome(admitted)
        ? Effect.succeed(true)
        : queueSlot.isBlocked()
          ? Effect.succeed(false)
          : Effect.suspend(() => admission({ queueSlot }, limit))
    )

  /** Waits for a handler's exit; when it takes too long or the wait is interrupted, the handler is given up. */
  const exitOf = (
    plan: PlannedCall,
    fiber: Fiber.RuntimeFiber<string, unknown>,
    limit: Duration.Duration,
    restore: Restore
  ) =>
    Effect.gen(function* () {
      const waited = yield* Effect.exit(restore(Effect.timeoutOption(Fiber.await(fiber), limit)))
      const exit = fiber.unsafePoll()
      if (exit !== null) return HandlerResult.ofExit(exit)
      plan.queueSlot.giveUp()
      yield* Fiber.interruptFork(fiber)
      if (Exit.isFailure(waited)) return yield* Effect.interrupt
      return HandlerResult.make(
        "timeout",
        `The tool did not finish within ${Duration.format(limit)} and was given up. Its effects are unknown.`
      )
    })

  /** Drops whatever the handler still reports: it would come after the call's end. */
  const silence = ({ context, part }: CallRun, plan: PlannedCall) =>
    Effect.suspend(() => {
      plan.isOver = true
      return live.update(context.session.id, (now) => Live.endCall(now, part.callId))
    })

  /** Runs a permitted call once it is admitted, and stores what it returned. */
  const perform = (one: CallRun, plan: PlannedCall, restore: Restore) =>
    Effect.suspend(() => {
      const { call, context, part } = one
      const limit = readings.limitOf(plan.tool)
      // Taken last: a call that waits for its key, or for a human, must not keep a slot from the call it waits for.
      let slot = KeyQueues.free
      const slotAdmitted = Effect.suspend(() => {
        if (slots !== null) slot = slots.take(context.run.id)
        return slot.admitted
      })
      return Effect.gen(function* () {
        if (
          !(yield* restore(
            Effect.tap(admission(plan, limit), (isAdmitted) => (isAdmitted ? slotAdmitted : Effect.void))
          ))
        ) {
          const text = `Never started: an earlier call of the same key was given up and has not ended within ${Duration.format(limit)}.`
          return yield* results.store(one, HandlerResult.make("never-started", text))
        }
        if (!(yield* storage.startCall(context.lease, call.seq))) return yield* Effect.interrupt
        const toolCall = readings.toolCall(context, part, () => !plan.isOver)
        const fiber = yield* fibers.run(Effect.provideService(plan.prepared.run, Tool.Call, toolCall))
        plan.isStarted = true
        fiber.addObserver(plan.queueSlot.leave)
        const [took, result] = yield* Effect.timed(
          Effect.ensuring(exitOf(plan, fiber, limit, restore), silence(one, plan))
        )
        yield* Metric.update(Metric.tagged(Metrics.toolTime, "tool", plan.tool.name), Duration.toMillis(took))
        return yield* results.store(one, result)
      }).pipe(Effect.ensuring(Effect.sync(() => slot.leave())))
    })

  /**
   * Runs a call to its stored result, which is another one when that was first. Fails only when the result cannot be
   * stored; interruption leaves the call without one.
   */
  const run = Effect.fn("Calls.run")(function* (one: CallRun, plan: CallPlan) {
    const { name, input } = one.part
    yield* Effect.annotateCurrentSpan({ ...idsOf(one), tool: name, ...(config.traceContent ? { input } : {}) })
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (plan._tag === "Refused") return yield* results.store(one, plan.result)
        const denial = yield* restore(permissions.denial(one, plan.tool))
        if (denial !== null) return yield* results.store(one, HandlerResult.make("denied", denial))
        return yield* perform(one, plan, restore)
      }).pipe(Effect.ensuring(Effect.sync(() => leave(plan))))
    )
  })

  return { readAll: readings.readAll, plan, leave, run }
})
