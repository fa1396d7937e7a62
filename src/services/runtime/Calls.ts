/**
 * Runs one call of a batch, from its raw input to its one stored result:
 *
 *   1. its input is read, and so its key is known; calls take their places of a key in call order;
 *   2. permission: the policy's word, and a human's where the policy asks for it. The call has not started;
 *   3. its turn among the calls of its key, then one of the slots when parallelism is limited;
 *   4. `started` is committed, then the handler runs, in a fiber of its own that nobody has to wait for;
 *   5. whatever it came to becomes one bounded result, which is committed.
 *
 * Between a handler's exit and its committed result nothing can be interrupted. Interrupted before, a call leaves no
 * result: whoever ends the run closes it by what is stored of it. A handler that goes on after it was given up keeps
 * its place of the key; what it still returns is dropped.
 */
import { Cause, Context, Duration, Effect, Exit, Fiber, Metric, Option, Stream } from "effect"
import type { CallPart, Outcome, ResultMessage } from "../../domain/Message.js"
import type { Answer } from "../../domain/Permission.js"
import { QuestionId } from "../../domain/Permission.js"
import * as ResultText from "../../domain/ResultText.js"
import type { Run } from "../../domain/Run.js"
import type { Lease } from "../../domain/Lease.js"
import type { Session } from "../../domain/Session.js"
import * as Live from "../../domain/Live.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Ids } from "../Ids.js"
import * as Metrics from "../Metrics.js"
import * as Permissions from "../Permissions.js"
import type { OpenCall } from "../storage/Storage.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import * as Tool from "../Tool.js"
import { Toolbox } from "../Toolbox.js"
import * as HandlerResult from "./HandlerResult.js"
import * as Gathering from "./Gathering.js"
import * as KeyQueues from "./KeyQueues.js"
import { LiveRuns } from "./LiveRuns.js"
import { ToolFibers } from "./ToolFibers.js"

/** The run that calls belong to. */
export interface RunContext {
  readonly session: Session
  readonly run: Run
  readonly lease: Lease
}

interface Refused {
  readonly _tag: "Refused"
  readonly result: HandlerResult.HandlerResult
}

interface Understood {
  readonly _tag: "Understood"
  readonly tool: Tool.Runnable<Tool.Call>
  readonly prepared: Tool.Prepared<Tool.Call>
}

/** A call's input as it was understood, or why it was not. */
export type Reading = Refused | Understood

/** A call that can run. */
interface Ready extends Omit<Understood, "_tag"> {
  readonly _tag: "Ready"
  readonly queueSlot: KeyQueues.QueueSlot
  /** Whether the handler was started: from then on the place is left when the handler's fiber is done. */
  isStarted: boolean
  /** Whether the handler's time is over: what it still has to say is dropped. */
  isOver: boolean
}

/** A call that can run, or the reason why it cannot. */
export type Plan = Refused | Ready

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const refused = (outcome: Outcome, text: string): Refused => ({
  _tag: "Refused",
  result: HandlerResult.make(outcome, text)
})

const always = () => true

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const config = yield* EngineConfig
  const signals = yield* EventSignals
  const ids = yield* Ids
  const permissions = yield* Permissions.Permissions
  const { tools } = yield* Toolbox
  const live = yield* LiveRuns
  const fibers = yield* ToolFibers
  const keys = KeyQueues.make(1)
  const slots = config.toolConcurrency === "unbounded" ? null : KeyQueues.make(config.toolConcurrency)

  const limitOf = (tool: Tool.Runnable<Tool.Call>): Duration.Duration =>
    tool.timeout ?? Duration.millis(config.toolTimeoutMillis)

  const contextOf = (
    context: RunContext,
    part: CallPart,
    isHeard: () => boolean
  ): Context.Tag.Service<typeof Tool.Call> => ({
    sessionId: context.session.id,
    runId: context.run.id,
    callId: part.callId,
    owner: context.session.owner,
    workdir: context.session.workdir,
    metadata: context.run.metadata,
    progress: (text) =>
      live.update(context.session.id, (now) => (isHeard() ? Live.setProgress(now, part.callId, text) : now))
  })

  const readOne = (context: RunContext, part: CallPart) =>
    Effect.gen(function* () {
      const tool = tools.get(part.name)
      if (tool === undefined) {
        const names = [...tools.keys()].join(", ")
        return refused(
          "unknown-tool",
          `There is no tool ${part.name}. ${names === "" ? "There are none." : `Tools: ${names}`}`
        )
      }
      const exit = yield* tool
        .prepare(part.input)
        .pipe(
          Effect.provideService(Tool.Call, contextOf(context, part, always)),
          Effect.disconnect,
          Effect.timeoutOption(limitOf(tool)),
          Effect.exit
        )
      if (Exit.isSuccess(exit)) {
        return Option.isSome(exit.value)
          ? ({ _tag: "Understood", tool, prepared: exit.value.value } satisfies Understood)
          : refused("timeout", "Reading the call's input took too long; it was not run.")
      }
      const failure = Cause.failureOption(exit.cause)
      if (Option.isSome(failure)) return refused("invalid-input", failure.value.message)
      return refused(
        "defect",
        `The tool broke while it read its input: ${HandlerResult.describe(Cause.squash(exit.cause))}`
      )
    })

  /** Reads the inputs of a batch's calls. */
  const read = (context: RunContext, parts: ReadonlyArray<CallPart>): Effect.Effect<ReadonlyArray<Reading>> =>
    Gathering.all(parts.map((part) => readOne(context, part)))

  /** Takes the places of a batch's calls, in call order. Whoever takes them gives them to `leave` at the end. */
  const take = (context: RunContext, readings: ReadonlyArray<Reading>): ReadonlyArray<Plan> =>
    readings.map((reading) => {
      if (reading._tag === "Refused") return reading
      const { key } = reading.prepared
      const queueSlot = key === null ? KeyQueues.free : keys.take(`${context.session.id}\n${key}`)
      return { ...reading, _tag: "Ready", queueSlot, isStarted: false, isOver: false }
    })

  /** Leaves the place of a call that will not start; again does nothing. */
  const leave = (plan: Plan): void => {
    if (plan._tag === "Ready" && !plan.isStarted) plan.queueSlot.leave()
  }

  const answerTo = (questionId: QuestionId, sessionId: Session["id"]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const watch = yield* signals.watch(sessionId)
        while (true) {
          const { answer } = yield* reader.question(questionId)
          if (answer !== null) return answer
          yield* watch.next
        }
      })
    )

  const deniedBy = (answer: Answer): string =>
    `Denied${answer.by === null ? "" : ` by ${answer.by}`}: ${answer.message ?? "no reason was given"}`

  /** The policy's word; one that gives none, denies. */
  const decided = Effect.fnUntraced(function* (request: Permissions.Request) {
    const exit = yield* Effect.suspend(() => permissions.decide(request)).pipe(Effect.disconnect, Effect.exit)
    if (Exit.isSuccess(exit)) return exit.value
    yield* Effect.annotateLogs(Effect.logError("the permission policy broke"), {
      defect: HandlerResult.describe(Cause.squash(exit.cause))
    })
    return Permissions.deny("the permission policy failed")
  })

  /** Null when the call may run, else what the model is told. */
  const permitted = Effect.fn("Calls.permitted")(function* (
    context: RunContext,
    call: OpenCall,
    part: CallPart,
    tool: Tool.Runnable<Tool.Call>
  ) {
    const asked = call.questionId
    if (asked === null) {
      const decision = yield* decided({
        session: context.session,
        run: context.run,
        callId: part.callId,
        tool: tool.name,
        access: tool.access,
        input: part.input
      })
      if (decision._tag === "Allow") return null
      if (decision._tag === "Deny") return `Denied: ${decision.message}`
      if ((yield* reader.granted(context.session.id)).has(tool.name)) return null
    }
    const questionId = asked ?? QuestionId.make(yield* ids.next("ask"))
    if (asked === null) {
      yield* storage.ask(context.lease, {
        id: questionId,
        seq: call.seq,
        callId: part.callId,
        tool: tool.name,
        access: tool.access,
        input: part.input
      })
    }
    const answer = yield* answerTo(questionId, context.session.id)
    return answer.verdict === "deny" ? deniedBy(answer) : null
  })

  /** Waits for a handler's exit; when it takes too long or the wait is interrupted, the handler is given up. */
  const exitOf = (fiber: Fiber.RuntimeFiber<string, unknown>, limit: Duration.Duration, restore: Restore) =>
    Effect.gen(function* () {
      const waited = yield* Effect.exit(restore(Effect.timeoutOption(Fiber.await(fiber), limit)))
      const exit = fiber.unsafePoll()
      if (exit !== null) return HandlerResult.ofExit(exit)
      yield* Fiber.interruptFork(fiber)
      if (Exit.isFailure(waited)) return yield* Effect.interrupt
      return HandlerResult.make(
        "timeout",
        `The tool did not finish within ${Duration.format(limit)} and was given up. Its effects are unknown.`
      )
    })

  const store = Effect.fn("Calls.store")(function* (
    context: RunContext,
    call: OpenCall,
    part: CallPart,
    result: HandlerResult.HandlerResult
  ) {
    yield* Effect.annotateCurrentSpan({
      sessionId: context.session.id,
      runId: context.run.id,
      callId: part.callId,
      outcome: result.outcome,
      ...(config.traceContent ? { text: result.text } : {})
    })
    const { missing, text } = ResultText.bound(result.text, config.limits.resultCharacters)
    const message: ResultMessage = { role: "tool", callId: part.callId, name: part.name, outcome: result.outcome, text }
    if (missing === 0) return yield* storage.storeResult(context.lease, call.seq, message)
    const asset = yield* assets
      .save({
        sessionId: context.session.id,
        name: `${part.name}.txt`,
        mediaType: "text/plain",
        content: Stream.encodeText(Stream.make(result.text))
      })
      .pipe(Effect.option)
    return yield* storage.storeResult(
      context.lease,
      call.seq,
      Option.match(asset, {
        onNone: () => message,
        onSome: ({ id }) => ({ ...message, text: ResultText.withAsset(text, id), assetId: id })
      })
    )
  })

  /** From now on nothing is heard of the handler: what it told last would come after the call's end. */
  const silence = (context: RunContext, { callId }: CallPart, ready: Ready) =>
    Effect.suspend(() => {
      ready.isOver = true
      return live.update(context.session.id, (now) => Live.endCall(now, callId))
    })

  /** Runs a permitted call when its turn has come, and stores what it came to. */
  const perform = (context: RunContext, call: OpenCall, part: CallPart, ready: Ready, restore: Restore) =>
    Effect.suspend(() => {
      const limit = limitOf(ready.tool)
      // Taken last: a call that waits for its context, or for a human, must not keep a slot from the one it waits for.
      let slot = KeyQueues.free
      const slotAdmitted = Effect.suspend(() => {
        if (slots !== null) slot = slots.take(context.run.id)
        return slot.admitted
      })
      return Effect.gen(function* () {
        const waits = Effect.zipRight(ready.queueSlot.admitted, slotAdmitted)
        if (Option.isNone(yield* restore(Effect.timeoutOption(waits, limit)))) {
          const text = `Never started: its turn had not come within ${Duration.format(limit)}.`
          return yield* store(context, call, part, HandlerResult.make("never-started", text))
        }
        if (!(yield* storage.startCall(context.lease, call.seq))) return yield* Effect.interrupt
        const callContext = contextOf(context, part, () => !ready.isOver)
        const fiber = yield* fibers.run(Effect.provideService(ready.prepared.run, Tool.Call, callContext))
        ready.isStarted = true
        fiber.addObserver(ready.queueSlot.leave)
        const [took, result] = yield* Effect.timed(
          Effect.ensuring(exitOf(fiber, limit, restore), silence(context, part, ready))
        )
        yield* Metric.update(Metric.tagged(Metrics.toolTime, "tool", ready.tool.name), Duration.toMillis(took))
        return yield* store(context, call, part, result)
      }).pipe(Effect.ensuring(Effect.sync(() => slot.leave())))
    })

  /**
   * Runs a call to its stored result, which may be another's if that was first. Fails only when the result cannot be
   * stored; interruption leaves the call without one.
   */
  const run = Effect.fn("Calls.run")(function* (context: RunContext, call: OpenCall, part: CallPart, plan: Plan) {
    yield* Effect.annotateCurrentSpan({
      sessionId: context.session.id,
      runId: context.run.id,
      callId: part.callId,
      tool: part.name,
      ...(config.traceContent ? { input: part.input } : {})
    })
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (plan._tag === "Refused") return yield* store(context, call, part, plan.result)
        const denial = yield* restore(permitted(context, call, part, plan.tool))
        if (denial !== null) return yield* store(context, call, part, { outcome: "denied", text: denial })
        return yield* perform(context, call, part, plan, restore)
      }).pipe(Effect.ensuring(Effect.sync(() => leave(plan))))
    )
  })

  return { read, take, leave, run }
})
