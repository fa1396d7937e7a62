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
import * as Ended from "./Ended.js"
import * as Gathering from "./Gathering.js"
import * as KeyQueues from "./KeyQueues.js"
import { LiveRuns } from "./LiveRuns.js"
import { ToolFibers } from "./ToolFibers.js"

/** The run that calls belong to. */
export interface Turn {
  readonly session: Session
  readonly run: Run
  readonly lease: Lease
}

interface Refused {
  readonly _tag: "Refused"
  readonly ended: Ended.Ended
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
  readonly place: KeyQueues.Place
  /** Whether the handler was started: from then on the place is left when the handler's fiber is done. */
  isStarted: boolean
  /** Whether the handler's time is over: what it still has to say is dropped. */
  isOver: boolean
}

/** A call that can run, or the reason why it cannot. */
export type Plan = Refused | Ready

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const refused = (outcome: Outcome, text: string): Refused => ({ _tag: "Refused", ended: Ended.make(outcome, text) })

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

  const contextOf = (turn: Turn, part: CallPart, isHeard: () => boolean): Context.Tag.Service<typeof Tool.Call> => ({
    sessionId: turn.session.id,
    runId: turn.run.id,
    callId: part.callId,
    owner: turn.session.owner,
    workdir: turn.session.workdir,
    metadata: turn.run.metadata,
    progress: (text) =>
      live.update(turn.session.id, (now) => (isHeard() ? Live.setProgress(now, part.callId, text) : now))
  })

  const readOne = (turn: Turn, part: CallPart) =>
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
          Effect.provideService(Tool.Call, contextOf(turn, part, always)),
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
      return refused("defect", `The tool broke while it read its input: ${Ended.describe(Cause.squash(exit.cause))}`)
    })

  /** Reads the inputs of a batch's calls. */
  const read = (turn: Turn, parts: ReadonlyArray<CallPart>): Effect.Effect<ReadonlyArray<Reading>> =>
    Gathering.all(parts.map((part) => readOne(turn, part)))

  /** Takes the places of a batch's calls, in call order. Whoever takes them gives them to `leave` at the end. */
  const take = (turn: Turn, readings: ReadonlyArray<Reading>): ReadonlyArray<Plan> =>
    readings.map((reading) => {
      if (reading._tag === "Refused") return reading
      const { key } = reading.prepared
      const place = key === null ? KeyQueues.free : keys.take(`${turn.session.id}\n${key}`)
      return { ...reading, _tag: "Ready", place, isStarted: false, isOver: false }
    })

  /** Leaves the place of a call that will not start; again does nothing. */
  const leave = (plan: Plan): void => {
    if (plan._tag === "Ready" && !plan.isStarted) plan.place.leave()
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
      defect: Ended.describe(Cause.squash(exit.cause))
    })
    return Permissions.deny("the permission policy failed")
  })

  /** Null when the call may run, else what the model is told. */
  const permitted = Effect.fn("Calls.permitted")(function* (
    turn: Turn,
    call: OpenCall,
    part: CallPart,
    tool: Tool.Runnable<Tool.Call>
  ) {
    const asked = call.questionId
    if (asked === null) {
      const decision = yield* decided({
        session: turn.session,
        run: turn.run,
        callId: part.callId,
        tool: tool.name,
        access: tool.access,
        input: part.input
      })
      if (decision._tag === "Allow") return null
      if (decision._tag === "Deny") return `Denied: ${decision.message}`
      if ((yield* reader.granted(turn.session.id)).has(tool.name)) return null
    }
    const questionId = asked ?? QuestionId.make(yield* ids.next("ask"))
    if (asked === null) {
      yield* storage.ask(turn.lease, {
        id: questionId,
        seq: call.seq,
        callId: part.callId,
        tool: tool.name,
        access: tool.access,
        input: part.input
      })
    }
    const answer = yield* answerTo(questionId, turn.session.id)
    return answer.verdict === "deny" ? deniedBy(answer) : null
  })

  /** Waits for a handler's exit; when it takes too long or the wait is interrupted, the handler is given up. */
  const exitOf = (fiber: Fiber.RuntimeFiber<string, unknown>, limit: Duration.Duration, restore: Restore) =>
    Effect.gen(function* () {
      const waited = yield* Effect.exit(restore(Effect.timeoutOption(Fiber.await(fiber), limit)))
      const exit = fiber.unsafePoll()
      if (exit !== null) return Ended.ofExit(exit)
      yield* Fiber.interruptFork(fiber)
      if (Exit.isFailure(waited)) return yield* Effect.interrupt
      return Ended.make(
        "timeout",
        `The tool did not finish within ${Duration.format(limit)} and was given up. Its effects are unknown.`
      )
    })

  const store = Effect.fn("Calls.store")(function* (turn: Turn, call: OpenCall, part: CallPart, ended: Ended.Ended) {
    yield* Effect.annotateCurrentSpan({
      sessionId: turn.session.id,
      runId: turn.run.id,
      callId: part.callId,
      outcome: ended.outcome,
      ...(config.traceContent ? { text: ended.text } : {})
    })
    const { missing, text } = ResultText.bound(ended.text, config.limits.resultCharacters)
    const message: ResultMessage = { role: "tool", callId: part.callId, name: part.name, outcome: ended.outcome, text }
    if (missing === 0) return yield* storage.completeCall(turn.lease, call.seq, message)
    const asset = yield* assets
      .save({
        sessionId: turn.session.id,
        name: `${part.name}.txt`,
        mediaType: "text/plain",
        content: Stream.encodeText(Stream.make(ended.text))
      })
      .pipe(Effect.option)
    return yield* storage.completeCall(
      turn.lease,
      call.seq,
      Option.match(asset, {
        onNone: () => message,
        onSome: ({ id }) => ({ ...message, text: ResultText.withAsset(text, id), assetId: id })
      })
    )
  })

  /** From now on nothing is heard of the handler: what it told last would come after the call's end. */
  const silence = (turn: Turn, { callId }: CallPart, ready: Ready) =>
    Effect.suspend(() => {
      ready.isOver = true
      return live.update(turn.session.id, (now) => Live.endCall(now, callId))
    })

  /** Runs a permitted call when its turn has come, and stores what it came to. */
  const perform = (turn: Turn, call: OpenCall, part: CallPart, ready: Ready, restore: Restore) =>
    Effect.suspend(() => {
      const limit = limitOf(ready.tool)
      // Taken last: a call that waits for its turn, or for a human, must not keep a slot from the one it waits for.
      let slot = KeyQueues.free
      const slotTurn = Effect.suspend(() => {
        if (slots !== null) slot = slots.take(turn.run.id)
        return slot.turn
      })
      return Effect.gen(function* () {
        const waits = Effect.zipRight(ready.place.turn, slotTurn)
        if (Option.isNone(yield* restore(Effect.timeoutOption(waits, limit)))) {
          const text = `Never started: its turn had not come within ${Duration.format(limit)}.`
          return yield* store(turn, call, part, Ended.make("never-started", text))
        }
        if (!(yield* storage.startCall(turn.lease, call.seq))) return yield* Effect.interrupt
        const context = contextOf(turn, part, () => !ready.isOver)
        const fiber = yield* fibers.run(Effect.provideService(ready.prepared.run, Tool.Call, context))
        ready.isStarted = true
        fiber.addObserver(ready.place.leave)
        const [took, ended] = yield* Effect.timed(
          Effect.ensuring(exitOf(fiber, limit, restore), silence(turn, part, ready))
        )
        yield* Metric.update(Metric.tagged(Metrics.toolTime, "tool", ready.tool.name), Duration.toMillis(took))
        return yield* store(turn, call, part, ended)
      }).pipe(Effect.ensuring(Effect.sync(() => slot.leave())))
    })

  /**
   * Runs a call to its stored result, which may be another's if that was first. Fails only when the result cannot be
   * stored; interruption leaves the call without one.
   */
  const run = Effect.fn("Calls.run")(function* (turn: Turn, call: OpenCall, part: CallPart, plan: Plan) {
    yield* Effect.annotateCurrentSpan({
      sessionId: turn.session.id,
      runId: turn.run.id,
      callId: part.callId,
      tool: part.name,
      ...(config.traceContent ? { input: part.input } : {})
    })
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (plan._tag === "Refused") return yield* store(turn, call, part, plan.ended)
        const denial = yield* restore(permitted(turn, call, part, plan.tool))
        if (denial !== null) return yield* store(turn, call, part, { outcome: "denied", text: denial })
        return yield* perform(turn, call, part, plan, restore)
      }).pipe(Effect.ensuring(Effect.sync(() => leave(plan))))
    )
  })

  return { read, take, leave, run }
})
