/**
 * `skein watch`: follows somebody else's run from its start to its end, and changes nothing: it answers no question,
 * and cancels nothing when it is stopped. For a session, it follows the current run, or else the next one.
 *
 * It sees what the server with the sessions sees, if there is one, otherwise what storage has.
 */
import { Effect, Layer, Option, Schema, Stream } from "effect"
import type { QuestionId } from "../../domain/Permission.js"
import * as Run from "../../domain/Run.js"
import type * as SessionEvent from "../../domain/SessionEvent.js"
import { InvalidInput, RunStopped, SessionNotFound } from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as Engine from "./Engine.js"
import { RunFailed } from "./Failure.js"
import * as Follow from "./Follow.js"
import * as LiveServer from "./LiveServer.js"
import * as Place from "./Place.js"
import * as SessionLookup from "./SessionLookup.js"
import { Signals } from "./Signals.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Serve.js"

export interface Input {
  /** A session's id or the beginning of it, or a run's id. */
  readonly named: string
  readonly json: boolean
  readonly place: Place.Given
}

/** What is followed: events after a cursor, up to the end of a run; null for the next one to end. */
interface Watched extends Pick<Run.Ref, "sessionId" | "cursor"> {
  readonly runId: Run.Id | null
}

const isRunId = Schema.is(Run.Id)

const watchedRun = (runId: Run.Id) =>
  Effect.map(
    Effect.flatMap(Gateway, (gateway) => gateway.runRef(runId)),
    (ref): Watched => ref
  )

const watchedSession = Effect.fnUntraced(function* (named: string) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const sessionId = yield* Effect.flatMap(SessionLookup.parse(named), SessionLookup.find)
  const { run, session } = yield* gateway.snapshot(sessionId)
  if (run !== null) {
    if (run.crashed || (run.run.state === "running" && run.run.releasedAt !== null))
      yield* screen.writeError(`skein: ${Texts.leftBehind}\n`)
    return yield* watchedRun(run.run.id)
  }
  yield* screen.writeError(`skein: ${Texts.nothingRuns}\n`)
  return { sessionId, runId: null, cursor: session.cursor } satisfies Watched
})

/** Says that a question waits. `skein run` would put it to the person who follows the run. */
const tellQuestion = Effect.fnUntraced(function* (questionId: QuestionId) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const { answer, tool } = yield* gateway.question(questionId)
  if (answer === null) yield* screen.writeError(`skein: ${TerminalText.line(Texts.asks(tool))}\n`)
}, Effect.ignore)

const follow = Effect.fnUntraced(function* ({ cursor, runId, sessionId }: Watched, isJson: boolean) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const show = yield* Follow.shower(runId, { isJson, answerer: "nobody" })
  const isEnd = (event: SessionEvent.SessionEvent) =>
    (event.type === "run.ended" && (runId === null || event.runId === runId)) || event.type === "session.deleted"
  const shown = gateway.events({ sessionId, after: cursor }).pipe(
    Stream.takeUntil(isEnd),
    Stream.tap(show),
    Stream.tap((event) =>
      event.type === "permission.asked" && !isJson && (runId === null || event.runId === runId)
        ? tellQuestion(event.questionId)
        : Effect.void
    ),
    Stream.runLast
  )
  const last = yield* isJson ? shown : screen.live(shown, "left")
  if (Option.isNone(last) || last.value.type !== "run.ended") return yield* new SessionNotFound({ sessionId })
  const { detail, stopReason, runId: ended } = last.value
  if (stopReason === "completed") return
  const stopped = new RunStopped({ runId: ended, stopReason, detail })
  return yield* new RunFailed({ stopReason, detail: TerminalText.line(stopped.message) })
})

/** The gateway of the server, or of an engine that runs nothing. */
const gatewayOf = (given: Place.Given) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const server = yield* LiveServer.find(given, yield* Place.of(given), LiveServer.anything)
      // A copy would show nothing of what comes.
      if (server === null) return Engine.layerForStored(given)
      yield* (yield* Signals).arm
      return Layer.succeed(Gateway, server.gateway)
    })
  )

export const run = Effect.fn("WatchCommand.run")(function* ({ json, named, place }: Input) {
  if (named === "") return yield* new InvalidInput({ field: "session", limit: Texts.watchedSession, actual: "nothing" })
  yield* Effect.gen(function* () {
    const watched = yield* named.startsWith("run_") && isRunId(named) ? watchedRun(named) : watchedSession(named)
    yield* follow(watched, json)
  }).pipe(Effect.provide(gatewayOf(place)))
})
