/**
 * Runs the calls of a batch, each from its raw input to its one stored result:
 *
 *   1. its input is read, which shows its key; calls take the slots of their key in call order;
 *   2. permission: the policy's decision, and a human's where the policy asks for it. The call has not started;
 *   3. it waits until it is first among the calls of its key, then for one of the slots when parallelism is limited;
 *   4. `started` is committed, then the handler runs, in a fiber of its own that nobody has to wait for;
 *   5. whatever it returned becomes one bounded result, which is committed.
 *
 * The first steps begin before the message that asks for the calls is stored: calls that are ready by then start in the
 * message's own commit.
 *
 * Between a handler's exit and its committed result nothing can be interrupted. A call that is interrupted before that
 * leaves no result: the run's end closes it by what is stored about it. A handler that goes on after it was given up
 * keeps its slot of the key; what it still returns is dropped.
 */
import { Duration, Effect, Either, Exit, type Fiber, identity, Metric, Option } from "effect"
import * as Live from "../../domain/Live.js"
import { type CallDisplay, isNone } from "../../domain/CallDisplay.js"
import type { CallPart } from "../../domain/Message.js"
import type { Hides, QuestionId } from "../../domain/Permission.js"
import { EngineConfig } from "../EngineConfig.js"
import * as Metrics from "../Metrics.js"
import { type OpenCall, Storage } from "../storage/Storage.js"
import { Stretch } from "../Stretch.js"
import * as Tool from "../Tool.js"
import * as Asking from "./Asking.js"
import * as AtOnce from "./AtOnce.js"
import * as CallReading from "./CallReading.js"
import { type CallRun, idsOf, type RunContext } from "./CallRun.js"
import * as Gathering from "./Gathering.js"
import * as HandlerResult from "./HandlerResult.js"
import * as KeyQueues from "./KeyQueues.js"
import { LiveRuns } from "./LiveRuns.js"
import * as PermissionCheck from "./PermissionCheck.js"
import * as Portions from "./Portions.js"
import * as ResultStore from "./ResultStore.js"
import { HostFibers } from "./HostFibers.js"

/** A call as it is asked for. */
export interface AskedCall {
  readonly part: CallPart
  /** The question that was asked about it under an earlier engine. */
  readonly questionId: QuestionId | null
}

/** A call that can run. */
export interface PlannedCall extends Omit<CallReading.AcceptedCall, "_tag"> {
  readonly _tag: "Planned"
  /** Null for a call about which a human was asked before. */
  readonly deciding: PermissionCheck.Deciding | null
  readonly queueSlot: KeyQueues.QueueSlot
  /** The slot among all running calls, once it is taken. */
  slot: KeyQueues.QueueSlot | null
  /** Whether the handler was started: from then on the slot is left when the handler's fiber is done. */
  isStarted: boolean
  /** Whether the handler's time is over: what it still reports is dropped. */
  isOver: boolean
}

/** A call that can run, or the reason why it cannot. */
export type CallPlan = CallReading.RefusedCall | PlannedCall

/** A batch that has begun. */
interface Opening {
  /** The indexes of the calls that are already ready to start. */
  readonly starts: ReadonlyArray<number>
  /** How the calls are shown, by index; empty before all inputs are read. */
  readonly displays: ReadonlyArray<CallDisplay>
  /** Plans the calls, once all inputs are read. */
  readonly plans: Effect.Effect<ReadonlyArray<CallPlan>>
  /** Leaves the slots of calls that have not started. */
  readonly leave: Effect.Effect<void>
}

/** A call's display, if its step was stored before the display was known. */
const lateDisplay = ({ display }: OpenCall, plan: PlannedCall): CallDisplay | undefined =>
  isNone(display) && !isNone(plan.display) ? plan.display : undefined

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** For calls that change something: they are allowed or denied as a whole. */
const hidesNothing: Either.Either<Hides | undefined, string> = Either.right(undefined)

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const config = yield* EngineConfig
  const stretch = yield* Stretch
  const live = yield* LiveRuns
  const fibers = yield* HostFibers
  const readings = yield* CallReading.make
  const permissions = yield* PermissionCheck.make
  const ask = yield* Asking.make
  const results = yield* ResultStore.make
  const keys = KeyQueues.make(1)
  const times = new Map<string, typeof Metrics.toolTime>()

  /** The metric of a tool's time. Making one costs more than updating it. */
  const timeOf = (tool: string) => {
    const known = times.get(tool)
    if (known !== undefined) return known
    const made = Metric.tagged(Metrics.toolTime, "tool", tool)
    times.set(tool, made)
    return made
  }
  const slots = config.toolConcurrency === "unbounded" ? null : KeyQueues.make(config.toolConcurrency)

  /** Takes the slot of a call's key, and has the policy begin to decide on it. */
  const plan = (
    context: RunContext,
    { part, questionId }: AskedCall,
    reading: CallReading.CallReading
  ): Effect.Effect<CallPlan> => {
    if (reading._tag === "Refused") return Effect.succeed(reading)
    const { key } = reading.prepared
    const queueSlot = key === null ? KeyQueues.free : keys.take(`${context.session.id}\n${key}`)
    const planned = (deciding: PermissionCheck.Deciding | null): PlannedCall => ({
      ...reading,
      _tag: "Planned",
      deciding,
      queueSlot,
      slot: null,
      isStarted: false,
      isOver: false
    })
    return questionId === null
      ? Effect.map(permissions.begin(context, part, reading), planned)
      : Effect.succeed(planned(null))
  }

  /** Gives back what a call holds that will not start. Calling it again does nothing. */
  const leave = (plan: CallPlan): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (plan._tag === "Refused" || plan.isStarted) return Effect.void
      plan.queueSlot.leave()
      plan.slot?.leave()
      return plan.deciding === null ? Effect.void : AtOnce.giveUp(plan.deciding)
    })

  /** Takes a slot for a call that waits for nothing else. */
  const takeSlot = (plan: PlannedCall, { run }: RunContext): KeyQueues.QueueSlot =>
    (plan.slot ??= slots === null ? KeyQueues.free : slots.take(run.id))

  /** Whether a call can start immediately. */
  const isReady = (plan: CallPlan, context: RunContext): boolean =>
    plan._tag === "Planned" &&
    plan.deciding !== null &&
    permissions.isAllowed(plan.deciding) &&
    plan.queueSlot.isAdmitted() &&
    takeSlot(plan, context).isAdmitted()

  /** Begins a batch, or refuses all of its calls for a reason. The caller must run `leave` at the end. */
  const open = Effect.fnUntraced(function* (
    context: RunContext,
    asked: ReadonlyArray<AskedCall>,
    reasonNotToRun: string | null
  ) {
    let plans: ReadonlyArray<CallPlan> = []
    const begun = yield* Portions.forEach(asked, stretch, Portions.glances, (call) =>
      Effect.map(readings.begin(context, call.part, reasonNotToRun), (reading) => ({ call, reading }))
    )
    yield* Effect.yieldNow()
    const isRead = begun.every(({ reading }) => CallReading.isRead(reading))

    const planAll = Effect.gen(function* () {
      const finishing = begun.map(({ call, reading }) =>
        Effect.map(readings.finish(reading), (finished) => ({ call, reading: finished }))
      )
      const read = yield* isRead
        ? Portions.forEach(finishing, stretch, Portions.glances, identity)
        : Gathering.all(finishing, stretch)
      yield* Portions.forEach(read, stretch, Portions.glances, ({ call, reading }) =>
        plan(context, call, reading)
      ).pipe(
        Effect.map((all) => (plans = all)),
        Effect.uninterruptible
      )
      yield* Effect.yieldNow()
      return plans
    })
    if (isRead) yield* planAll

    return {
      displays: plans.map(({ display }) => display),
      starts: plans.flatMap((plan, index) => (isReady(plan, context) ? [index] : [])),
      plans: isRead ? Effect.succeed(plans) : planAll,
      leave: Effect.suspend(() =>
        Effect.zipRight(
          Effect.forEach(begun, ({ reading }) => readings.giveUp(reading), { discard: true }),
          Effect.forEach(plans, leave, { discard: true })
        )
      )
    } satisfies Opening
  })

  /**
   * Waits until a call is first among the calls of its key. However long the wait is, it does not count as the call's
   * own time: each call before it has a limit. Returns false when a call before it was given up and still goes on,
   * which is checked once every `limit`.
   */
  const admission = (queueSlot: KeyQueues.QueueSlot, limit: Duration.Duration): Effect.Effect<boolean> =>
    queueSlot.isAdmitted()
      ? Effect.succeed(true)
      : Effect.flatMap(Effect.timeoutOption(queueSlot.admitted, limit), (admitted) =>
          Option.isNone(admitted) && queueSlot.isBlocked() ? Effect.succeed(false) : admission(queueSlot, limit)
        )

  /** Waits for a handler's exit; when it takes too long or the wait is interrupted, the handler is given up. */
  const exitOf = (
    plan: PlannedCall,
    work: Fiber.RuntimeFiber<Tool.Result, unknown>,
    limit: Duration.Duration,
    restore: Restore
  ) =>
    Effect.gen(function* () {
      const waited = yield* Effect.exit(restore(AtOnce.exitWithin(work, limit)))
      const exit = work.unsafePoll()
      // A handler that was interrupted with its call has returned nothing.
      const isTurnedBack = exit !== null && Exit.isFailure(waited) && Exit.isInterrupted(exit)
      if (exit !== null && !isTurnedBack) return HandlerResult.ofExit(exit)
      plan.queueSlot.giveUp()
      yield* AtOnce.giveUp(work)
      if (Exit.isFailure(waited)) return yield* Effect.interrupt
      return HandlerResult.make(
        "timeout",
        `The tool did not finish within ${Duration.format(limit)} and was given up. Its effects are unknown.`
      )
    })

  /** Drops whatever the handler reports from now on: it would come after the call's end. */
  const silence = ({ context, part }: CallRun, plan: PlannedCall) =>
    Effect.suspend(() => {
      plan.isOver = true
      return live.update(context.session.id, (now) => Live.endCall(now, part.callId))
    })

  /** Runs a permitted call once it is admitted, and stores what it returned. */
  const perform = (
    one: CallRun,
    plan: PlannedCall,
    { hides, notes }: { readonly hides: Hides | undefined; readonly notes: ReadonlyArray<string> },
    restore: Restore
  ) =>
    Effect.suspend(() => {
      const { call, context, part } = one
      const limit = readings.limitOf(plan.tool)
      // Taken last: a call that waits for its key, or for a human, must not keep a slot from the call it waits for.
      const slotAdmitted = Effect.suspend(() => takeSlot(plan, context).admitted)
      return Effect.gen(function* () {
        if (call.state === "pending") {
          const isAdmitted = yield* restore(
            Effect.tap(admission(plan.queueSlot, limit), (isFirst) => (isFirst ? slotAdmitted : Effect.void))
          )
          if (!isAdmitted) {
            const text = `Never started: an earlier call of the same key was given up, and has still not ended after ${Duration.format(limit)}.`
            return yield* results.store(one, HandlerResult.make("never-started", text))
          }
          if (!(yield* storage.startCall(context.lease, call.seq, lateDisplay(call, plan))))
            return yield* Effect.interrupt
        }
        const reached = readings.toolCall(context, part, ask(one, plan), () => !plan.isOver)
        const toolCall = hides === undefined ? reached : { ...reached, hides }
        const work = yield* fibers.run(Effect.provideService(plan.prepared.run, Tool.Call, toolCall))
        plan.isStarted = true
        work.addObserver(plan.queueSlot.leave)
        const [took, result] = yield* Effect.yieldNow().pipe(
          Effect.zipRight(exitOf(plan, work, limit, restore)),
          Effect.ensuring(silence(one, plan)),
          Effect.timed
        )
        yield* Metric.update(timeOf(plan.tool.name), Duration.toMillis(took))
        return yield* results.store(one, result, notes)
      }).pipe(Effect.ensuring(Effect.sync(() => plan.slot?.leave())))
    })

  /**
   * Runs a call and returns its stored result, which is another result if that was stored first. Fails only when the
   * result cannot be stored; interruption leaves the call without a result.
   */
  const run = (one: CallRun, plan: CallPlan) => {
    const { name, input } = one.part
    // Any other name is the model's own words.
    const isKnown = one.context.agent.toolbox.tools.has(name) || config.traceContent
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (plan._tag === "Refused") return yield* results.store(one, plan.result)
        const permission = yield* restore(permissions.permission(one, plan))
        if (Either.isLeft(permission)) return yield* results.store(one, HandlerResult.make("denied", permission.left))
        const hiding = plan.tool.access === "read" ? yield* restore(permissions.hiding(one, plan)) : hidesNothing
        return yield* Either.isLeft(hiding)
          ? results.store(one, HandlerResult.make("denied", hiding.left))
          : perform(one, plan, { hides: hiding.right, notes: permission.right }, restore)
      }).pipe(Effect.ensuring(leave(plan)))
    ).pipe(
      Effect.withSpan("Calls.run", {
        attributes: {
          ...idsOf(one),
          ...(isKnown ? { tool: name } : {}),
          ...(config.traceContent ? { input } : {})
        },
        captureStackTrace: false
      })
    )
  }

  return { open, run }
})
