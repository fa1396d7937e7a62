/**
 * A run followed from its first event to its last: shown to people or as lines of JSON, its questions answered on the
 * way. The run that it waits for is left to whoever follows that one, until this engine takes it over: then it is shown
 * and answered, too. When it is interrupted, it cancels its own run, and ends once the run's end is stored and shown.
 */
import { Deferred, Effect, Fiber, Option, Ref, Stream } from "effect"
import { callsOf, type Message } from "../../domain/Message.js"
import type * as Run from "../../domain/Run.js"
import type { Seq, SessionId } from "../../domain/Session.js"
import * as SessionEvent from "../../domain/SessionEvent.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as NewestEntry from "../../services/NewestEntry.js"
import { type InputEnded, OutputFailed } from "./Failure.js"
import * as JsonLines from "./JsonLines.js"
import * as Questions from "./Questions.js"
import * as RunBefore from "./RunBefore.js"
import * as RunView from "./RunView.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Run.js"

/** A message of the transcript, or a result that still waits for an earlier one; null when it cannot be read. */
const messageAt = Effect.fn("Follow.messageAt")(
  function* (sessionId: SessionId, seq: Seq) {
    const gateway = yield* Gateway
    return (yield* gateway.entry({ sessionId, seq })).message
  },
  Effect.orElseSucceed((): Message | null => null)
)

export interface Options {
  readonly isJson: boolean
  /** Whether to leave the answer out, because it is printed elsewhere. Defaults to false. */
  readonly isProgress?: boolean
  /** The instruction files in the agent's prompt, for the first line of JSON. */
  readonly instructions?: ReadonlyArray<string>
  readonly answerer: Questions.Answerer
  /** For a run that is followed from its middle: the message whose calls are open. */
  readonly opener?: Message
  /** For a run that may wait: the run that held the session elsewhere before this one was sent; null for none. */
  readonly waitsFor?: Run.Id | null
  /** Called with each event after it was shown. */
  readonly onEvent?: (event: SessionEvent.SessionEvent) => Effect.Effect<void>
}

/** The newest message that asks for calls: these are what a run that is followed from its middle has open. */
export const openerOf = Effect.fn("Follow.openerOf")(function* (sessionId: SessionId) {
  const opener = yield* NewestEntry.find(sessionId, ({ message }) => message.role === "assistant")
  return Option.isSome(opener) ? { opener: opener.value.message } : {}
})

/** Shows events to people. As progress, this leaves out the answer: the text of a step without calls. */
const forPeople = Effect.fnUntraced(function* ({ isProgress = false, opener }: Options) {
  const screen = yield* Screen
  const gateway = yield* Gateway
  const view = RunView.make({ ansi: screen.ansi, columns: yield* screen.columns })
  const latest = yield* Ref.make(opener === undefined ? view : RunView.withCalls(view, opener))
  return Effect.fnUntraced(function* (event: SessionEvent.SessionEvent) {
    if (isProgress && event.type === "text.delta") return
    const seq = RunView.wants(event)
    const found = seq === null ? null : yield* Effect.provideService(messageAt(event.sessionId, seq), Gateway, gateway)
    const isAnswer = found?.role === "assistant" && callsOf(found).length === 0
    const message = isProgress && isAnswer ? null : found
    const columns = yield* screen.columns
    const [output, next] = RunView.next({ ...(yield* Ref.get(latest)), columns }, event, message)
    yield* Ref.set(latest, next)
    if (output !== "") yield* screen.write(output)
    yield* screen.show(RunView.work(next))
  })
})

/** Whether an event is about another run of the session, such as the one that this run waits for. */
const isOfAnother = (runId: Run.Id | null, event: SessionEvent.SessionEvent): boolean =>
  runId !== null && "runId" in event && event.runId !== null && event.runId !== runId

/**
 * Shows events, one after the other: to people those of a run, or of any run when it is null, or all as lines of JSON,
 * which name their run.
 */
export const shower = Effect.fnUntraced(function* (runId: Run.Id | null, options: Options) {
  if (options.isJson) return yield* JsonLines.make(messageAt, options.instructions ?? [])
  const show = yield* forPeople(options)
  return (event: SessionEvent.SessionEvent) => (isOfAnother(runId, event) ? Effect.void : show(event))
})

/**
 * Looks after a run that another process drives, or that waits for such a run. When that process is gone, this one
 * decides about the run; when it has released the run, this one goes on with it. A run of this process is left alone.
 */
const lookAfter = (gateway: Gateway["Type"], ref: Run.Ref) => ({
  whileFollowed: Effect.ignore(gateway.await(ref)),
  onEvent: (event: SessionEvent.SessionEvent) =>
    event.type === "run.released" && event.runId === ref.runId
      ? Effect.ignore(gateway.resume(ref.sessionId, { runId: ref.runId }))
      : Effect.void
})

/** Follows a run to its end. `inputEnded` is called when its questions can no longer be answered here. */
const watch = Effect.fn("Follow.watch")(function* (
  ref: Run.Ref,
  options: Options,
  inputEnded: (error: InputEnded) => Effect.Effect<unknown>
) {
  const { cursor, runId, sessionId } = ref
  const gateway = yield* Gateway
  const screen = yield* Screen
  const shows = [yield* shower(runId, options)]
  const answered = new Set([runId])
  const questions = yield* Questions.make(options.answerer)
  const care = lookAfter(gateway, ref)
  const isEnd = (event: SessionEvent.SessionEvent) =>
    (event.type === "run.ended" && event.runId === runId) || event.type === "session.deleted"
  const shown = gateway.events({ sessionId, after: cursor }).pipe(
    Stream.takeUntil(isEnd),
    Stream.tap((event) => Effect.forEach(shows, (show) => show(event), { discard: true })),
    Stream.tap((event) => {
      if (event.type === "permission.asked" && answered.has(event.runId)) return questions.asked(event.questionId)
      return event.type === "permission.answered" ? questions.answered(event.questionId) : Effect.void
    }),
    Stream.tap(options.onEvent ?? (() => Effect.void)),
    Stream.tap(care.onEvent),
    Stream.runLast
  )
  const openQuestions = Effect.flatMap(gateway.questions({ sessionId }), (open) =>
    Effect.forEach(
      open.filter((question) => answered.has(question.runId)),
      ({ id }) => questions.asked(id),
      { discard: true }
    )
  )
  const adopt = Effect.fnUntraced(function* (before: Run.Id) {
    yield* screen.writeError(`skein: ${Texts.resumingFirst}\n`)
    // As JSON it is shown already.
    if (!options.isJson) shows.push(yield* shower(before, { ...options, ...(yield* openerOf(sessionId)) }))
    answered.add(before)
    yield* openQuestions
  })
  const tellReleased = (before: Run.Id) =>
    options.isJson ? Effect.void : screen.writeError(`skein: ${Texts.released(before)}\n`)
  const waiting =
    options.waitsFor === undefined
      ? Effect.void
      : RunBefore.watch(ref, options.waitsFor, { taken: adopt, released: tellReleased })
  yield* Effect.fork(care.whileFollowed)
  const serve = Effect.catchTag(questions.serve, "InputEnded", (error) =>
    Effect.zipRight(inputEnded(error), Effect.never)
  )
  const served = Effect.zipRight(waiting, serve, { concurrent: true })
  const followed = Effect.raceFirst(Effect.zipRight(openQuestions, shown), served)
  const last = yield* options.isJson ? followed : screen.live(followed, "taken")
  if (Option.isSome(last) && last.value.type === "run.ended") {
    const { detail, stopReason } = last.value
    return stopReason === "completed" ? undefined : yield* new SkeinError.RunStopped({ runId, stopReason, detail })
  }
  return yield* new SkeinError.SessionNotFound({ sessionId })
})

/**
 * Starts a run, follows it and returns it. Fails with `RunStopped` when the run ends in any way except `completed`.
 * When it is interrupted, or nobody reads the output any more, it cancels the run and is interrupted. When the input
 * ends while a question waits, it cancels the run and fails with `InputEnded`.
 */
export const run = <E, R>(start: Effect.Effect<Run.Ref, E, R>, options: Options) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const gateway = yield* Gateway
      const ref = yield* start
      // A child would be interrupted together with its parent.
      const inputEnded = yield* Deferred.make<never, InputEnded>()
      const watching = yield* Effect.forkDaemon(
        Effect.interruptible(watch(ref, options, (error) => Deferred.fail(inputEnded, error)))
      )
      const cancelling = Effect.zipRight(Effect.logDebug("cancelling the run"), gateway.cancel(ref.runId))
      // A server that is gone is a defect, and it would never tell the run's end.
      const cancel = Effect.matchCauseEffect(cancelling, {
        onSuccess: () => Fiber.await(watching),
        onFailure: () => Fiber.interrupt(watching)
      })
      yield* restore(Effect.raceFirst(Fiber.join(watching), Deferred.await(inputEnded))).pipe(
        Effect.onInterrupt(() => cancel),
        Effect.tapErrorTag("InputEnded", () => cancel),
        Effect.catchIf(
          (error) => error instanceof OutputFailed && error.isClosed,
          () => Effect.zipRight(cancel, Effect.interrupt)
        )
      )
      return ref
    })
  )
