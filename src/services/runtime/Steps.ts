/**
 * One model step: the session's model is resolved, the view is made, and the stream is read into the live part. Nothing
 * of a step is stored before it is whole, so a failed step can be tried again: after a wait, when a later attempt may
 * succeed, or immediately, when the provider's refusal says how to ask instead (`StepRequests`). Each further attempt
 * begins the text again. What a step had written when it failed for good or was interrupted stays in the live part.
 */
import { Duration, Effect, HashMap, Option, Random, Stream } from "effect"
import * as Live from "../../domain/Live.js"
import { CallId } from "../../domain/Message.js"
import * as ModelRef from "../../domain/ModelRef.js"
import { pricesOf } from "../../domain/Offer.js"
import * as Place from "../../domain/Place.js"
import type { Session } from "../../domain/Session.js"
import { ModelFailed } from "../../domain/SkeinError.js"
import * as StepDraft from "../../domain/StepDraft.js"
import { EngineConfig } from "../EngineConfig.js"
import { Ids } from "../Ids.js"
import type { Model } from "../Model.js"
import { Stretch } from "../Stretch.js"
import type { RunContext } from "./CallRun.js"
import { HostFibers } from "./HostFibers.js"
import { LiveRuns } from "./LiveRuns.js"
import * as Portions from "./Portions.js"
import type { RunTranscript } from "./RunTranscript.js"
import * as StepRequests from "./StepRequests.js"

/** The wait before the second attempt; it doubles with each further attempt. */
const firstDelayMillis = 500

const failed = (model: Model, { detail, reason }: StepDraft.Flaw): ModelFailed =>
  new ModelFailed({ model: ModelRef.toText(model), reason, status: null, retryAfterMillis: null, detail })

/**
 * Whether the parts of a step are no more than `limit` UTF-16 units of text, reasoning or a call's input: there are
 * never fewer bytes than units.
 */
const boundedBy = (limit: number) => {
  let before = 0
  return (part: StepDraft.Part): boolean => {
    if (part.type === "call") return part.input.length <= limit
    if (part.type !== "finish") before += part.delta.length
    return before <= limit
  }
}

export const make = Effect.gen(function* () {
  const config = yield* EngineConfig
  const { messageBytes } = config.limits
  const nextPart = (yield* Stretch).doing(Portions.parts)
  const live = yield* LiveRuns
  const ids = yield* Ids
  const requests = yield* StepRequests.make
  const fibers = yield* HostFibers

  const delayAfter = (failure: ModelFailed, attempt: number) =>
    Effect.map(Random.nextRange(0.8, 1.2), (jitter) =>
      Math.round(
        Math.min(failure.retryAfterMillis ?? firstDelayMillis * 2 ** (attempt - 1) * jitter, config.modelRetryMaxMillis)
      )
    )

  const draftOf = ({ id }: Session) => live.get(id)?.step?.draft ?? StepDraft.empty

  const callIdsOf = ({ id }: Session): HashMap.HashMap<number, CallId> => live.get(id)?.step?.callIds ?? HashMap.empty()

  /**
   * Gives a call the id that it will be stored with as soon as its first part comes, so that watchers know it by that.
   */
  const nameCall = (session: Session, part: StepDraft.Part): Effect.Effect<void> =>
    (part.type === "call" || part.type === "call.delta") && !HashMap.has(callIdsOf(session), part.index)
      ? Effect.flatMap(ids.next("call"), (id) =>
          live.update(session.id, (now) => Live.nameCall(now, part.index, CallId.make(id)))
        )
      : Effect.void

  /** Returns the finished draft, the ids of its calls by their index, and the model that wrote it. */
  const run = Effect.fn("Steps.run")(function* (
    { agent, run: { id: runId, output }, session }: RunContext,
    transcript: RunTranscript
  ) {
    const model = yield* fibers.doing(agent.models.resolve(session))
    yield* Effect.annotateCurrentSpan({
      sessionId: session.id,
      runId,
      agent: agent.name,
      provider: model.provider,
      model: model.model
    })
    yield* live.update(session.id, (now) => Live.beginStep(now, Place.after(session.head), model))
    const question = { session, output, agent, model, transcript }
    const corrections: Array<StepRequests.Correction> = []
    let request = yield* requests.requestOf(question)
    let attempt = 1
    let failures = 0
    while (true) {
      const isBounded = boundedBy(messageBytes)
      let isGivenUp = false
      const take = (part: StepDraft.Part) =>
        // The session may have its next run by now.
        isGivenUp
          ? Effect.interrupt
          : isBounded(part)
            ? Effect.zipRight(
                nameCall(session, part),
                live.update(session.id, (now) => Live.addPart(now, part))
              )
            : failed(model, { reason: "malformed", detail: `the answer has more than ${messageBytes} bytes` })
      const streamed = Stream.runForEach(model.step(request), (part) => nextPart(Effect.suspend(() => take(part))))
      const tried = yield* fibers.doing(streamed).pipe(
        Effect.onInterrupt(() => Effect.sync(() => (isGivenUp = true))),
        Effect.zipRight(
          Effect.suspend(() => Effect.catchAll(StepDraft.finished(draftOf(session)), (flaw) => failed(model, flaw)))
        ),
        Effect.either
      )
      if (tried._tag === "Right") {
        const draft = StepDraft.costing(tried.right, pricesOf(agent.offered, model))
        return { model, draft, callIds: new Map(callIdsOf(session)) }
      }
      const failure = tried.left
      const corrected = yield* requests.correct(question, request, failure, corrections)
      if (Option.isSome(corrected)) {
        corrections.push(corrected.value.correction)
        request = corrected.value.request
        if (draftOf(session) === StepDraft.empty) continue
      } else if (!failure.isRetryable || ++failures >= config.modelAttempts) {
        return yield* requests.explain(question, request, failure)
      }
      const delayMillis = Option.isSome(corrected) ? 0 : yield* delayAfter(failure, failures)
      const retry = { attempt: ++attempt, delayMillis, reason: failure.reason }
      yield* live.update(session.id, (now) => Live.retryStep(now, retry))
      yield* Effect.sleep(Duration.millis(delayMillis))
    }
  })

  return { run }
})
