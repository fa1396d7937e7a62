/**
 * A Gateway whose messages go to the engine that a session belongs to. This process itself does whatever the database
 * alone suffices for: reads, watching, and changes that begin no run.
 *
 * A message that is lost on its way is sent again with its key, so it is stored once; if the host passed no key, one is
 * made. When the session's runner does not answer in time, this process's own engine, if it has one, does what was
 * asked, and other runners are tried as well. Which of them may write is decided by the fence in each write.
 */
import type { AlreadyProcessingMessage, MailboxFull, PersistenceError } from "@effect/cluster/ClusterError"
import { isSocketError } from "@effect/platform/Socket"
import { Cause, Data, Duration, Effect, Exit, Option } from "effect"
import type { Actor as ActorName } from "../../domain/Actor.js"
import type { Placement } from "../../domain/Placement.js"
import type { Entry } from "../../domain/Message.js"
import type { Question } from "../../domain/Permission.js"
import type { Ref, RunId } from "../../domain/Run.js"
import type { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Actor from "../../services/Actor.js"
import type { Answer, ForeignMessage, ResumedRun, Send, Service } from "../../services/gateway/Gateway.js"
import { operations } from "../../services/gateway/Operations.js"
import type * as Ids from "../../services/Ids.js"
import * as Hedge from "./Hedge.js"
import type { PlacementOf } from "./Placements.js"
import * as SessionEntity from "./SessionEntity.js"
import type { Settings } from "./Settings.js"

/** What is asked, and by whom. */
interface Asked<Input> {
  readonly actor: ActorName | null
  readonly input: Input
}

/** A session at the runner that it belongs to. */
interface Session {
  readonly send: (asked: Asked<Send>) => Effect.Effect<Ref, SkeinError.Send | Lost>
  readonly resume: (
    asked: Asked<{ readonly sessionId: SessionId; readonly of?: ResumedRun | undefined }>
  ) => Effect.Effect<Ref, SkeinError.Resume | Lost>
  readonly append: (
    asked: Asked<{
      readonly sessionId: SessionId
      readonly messages: ReadonlyArray<ForeignMessage>
      readonly idempotencyKey: string
    }>
  ) => Effect.Effect<ReadonlyArray<Entry>, SkeinError.Append | Lost>
  readonly answer: (asked: Asked<Answer>) => Effect.Effect<Question, SkeinError.Answer | Lost>
  readonly cancel: (asked: Asked<{ readonly runId: RunId }>) => Effect.Effect<void, SkeinError.Cancel | Lost>
}

export interface Parts {
  /** The Gateway of this process. */
  readonly local: Service
  /** Whether this process has an engine that runs what it is sent. */
  readonly hasEngine: boolean
  readonly isHere: (sessionId: SessionId, placement: Placement | null) => boolean
  readonly client: (entityId: string) => Session
  readonly placementOf: PlacementOf
  readonly ids: Ids.Service
  readonly settings: Settings
}

/** The connection was lost while the message was written to it. */
class Unwritten extends Data.TaggedError("Unwritten") {}

type Lost = MailboxFull | AlreadyProcessingMessage | PersistenceError | Unwritten

/** The cluster library reports a broken connection as a defect of the runner that was asked. */
const written = Effect.catchSomeDefect((defect) =>
  isSocketError(defect) ? Option.some(new Unwritten()) : Option.none()
)

/** How many more ways are tried, besides the session's runner and this process's own engine. */
const detours = 7

const lost: ReadonlySet<string> = new Set<Lost["_tag"]>([
  "MailboxFull",
  "AlreadyProcessingMessage",
  "PersistenceError",
  "Unwritten"
])

const isLost = (error: { readonly _tag: string }): error is Lost => lost.has(error._tag)

/** Errors for which another engine's answer may differ, and those that mean no answer came. */
const open = new Set([...lost, "EngineClosing", "PlacementNotServed", "RunnersUnreachable"])

/** An engine of a newer version can do what an outdated one refuses. */
const isOutdated = (error: { readonly _tag: string }): boolean =>
  error instanceof SkeinError.StorageUnusable && error.reason === "newer-version"

const isOpen = (error: { readonly _tag: string }): boolean => open.has(error._tag) || isOutdated(error)

/** The cluster library interrupts a call whose connection closes. That is no interruption of the caller. */
const isCut = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)

const settles = <A, E extends { readonly _tag: string }>(exit: Exit.Exit<A, E>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const failure = Cause.failureOption(exit.cause)
  return Option.isSome(failure) ? !isOpen(failure.value) : Cause.isDie(exit.cause)
}

export const make = ({ client, hasEngine, ids, isHere, local, placementOf, settings }: Parts): Service => {
  const { giveUpMillis, reachMillis } = settings
  const patience = { reach: Duration.millis(reachMillis), giveUp: Duration.millis(giveUpMillis) }
  /** Asks the session's runner, and others if it does not answer. */
  const ask = Effect.fnUntraced(function* <A, E extends { readonly _tag: string }>(
    sessionId: SessionId,
    placement: Placement | null,
    there: (session: Session, actor: ActorName | null) => Effect.Effect<A, E | Lost>,
    here: Effect.Effect<A, E>
  ) {
    const actor = yield* Actor.Current
    const way = (number: number) =>
      written(Effect.suspend(() => there(client(SessionEntity.entityIdOf(sessionId, placement, number)), actor)))
    const others = Array.from({ length: detours }, (_, index) => way(index + 1))
    const ways = [way(0), ...(hasEngine ? [here] : []), ...others]
    const exit = yield* Hedge.ask<A, E | Lost>(ways, settles, patience)
    const unreachable = new SkeinError.RunnersUnreachable({ sessionId, waitedMillis: giveUpMillis })
    if (Option.isNone(exit) || isCut(exit.value)) return yield* unreachable
    return yield* Effect.mapError(exit.value, (error) => (isLost(error) ? unreachable : error))
  })

  const send: Service["send"] = Effect.fn("Cluster.send")(function* (input) {
    const payload = yield* operations.send.read(input)
    const { sessionId } = payload
    const placement = yield* placementOf(sessionId)
    if (hasEngine && isHere(sessionId, placement)) return yield* local.send(input)
    const keyed = { ...payload, idempotencyKey: payload.idempotencyKey ?? (yield* ids.next("key")) }
    return yield* ask(
      sessionId,
      placement,
      (session, actor) => session.send({ actor, input: keyed }),
      local.send(keyed)
    )
  })

  const resume: Service["resume"] = Effect.fn("Cluster.resume")(function* (sessionId, of) {
    const input = yield* operations.resume.read(sessionId, of)
    const placement = yield* placementOf(sessionId)
    const here = local.resume(sessionId, of)
    if (hasEngine && isHere(sessionId, placement)) return yield* here
    return yield* ask(sessionId, placement, (session, actor) => session.resume({ actor, input }), here)
  })

  /** The run in the way may be that of a dead engine, and only an engine can take it over. */
  const append: Service["append"] = (...given) =>
    Effect.catchTag(local.append(...given), "SessionBusy", (busy) =>
      Effect.gen(function* () {
        if (hasEngine) return yield* busy
        const payload = yield* operations.append.read(...given)
        const { sessionId } = payload
        const input = { ...payload, idempotencyKey: payload.idempotencyKey ?? (yield* ids.next("key")) }
        const placement = yield* placementOf(sessionId)
        return yield* ask(sessionId, placement, (session, actor) => session.append({ actor, input }), busy)
      }).pipe(Effect.withSpan("Cluster.append"))
    )

  const answer: Service["answer"] = Effect.fn("Cluster.answer")(function* (given) {
    const payload = yield* operations.answer.read(given)
    const { questionId } = payload
    const { sessionId } = yield* local.question(questionId)
    const placement = yield* Effect.catchTag(placementOf(sessionId), "SessionNotFound", () => Effect.succeed(null))
    if (hasEngine && isHere(sessionId, placement)) return yield* local.answer(given)
    const input = { ...payload, by: payload.by ?? (yield* Actor.Current) ?? undefined }
    return yield* Effect.catchTag(
      ask(sessionId, placement, (session, actor) => session.answer({ actor, input }), local.answer(input)),
      "QuestionAnswered",
      // The message was obeyed, its reply was lost, and it was sent again.
      (answered) =>
        Effect.filterOrFail(
          local.question(questionId),
          ({ answer }) =>
            answer !== null &&
            answer.verdict === input.verdict &&
            answer.message === (input.message ?? null) &&
            answer.by === (input.by ?? null),
          () => answered
        )
    )
  })

  /**
   * Storage tells the run's engine to stop. If that engine is dead and the run waits for a person, only another engine
   * can end the run: a front end asks one as well, and does not mind if none answers.
   */
  const cancel: Service["cancel"] = (runId) => {
    const there = Effect.gen(function* () {
      const { sessionId } = yield* local.run(runId)
      const actor = yield* Actor.Current
      return yield* client(SessionEntity.entityIdOf(sessionId, yield* placementOf(sessionId))).cancel({
        actor,
        input: { runId }
      })
    })
    const asked = Effect.disconnect(Effect.catchAllCause(there, () => Effect.never))
    return hasEngine ? local.cancel(runId) : Effect.raceFirst(local.cancel(runId), asked)
  }

  return { ...local, send, resume, append, answer, cancel }
}
