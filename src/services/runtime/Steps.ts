/**
 * One model step: the session's model is resolved, the view made, the stream read into the live part. Failures that a
 * later try may mend are tried again, as nothing of a step is stored before it is whole; each further try begins the
 * text anew. What a step had written when it failed for good or was interrupted stays in the live part.
 */
import { Duration, Effect, Random, Stream } from "effect"
import type { AssetId } from "../../domain/Asset.js"
import * as Live from "../../domain/Live.js"
import { type Entry, isFile } from "../../domain/Message.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { RunId } from "../../domain/Run.js"
import type { Session } from "../../domain/Session.js"
import { ModelFailed } from "../../domain/SkeinError.js"
import * as StepDraft from "../../domain/StepDraft.js"
import * as View from "../../domain/View.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import type { Model, StepRequest, ToolDefinition } from "../Model.js"
import { Models } from "../Model.js"
import { StorageReader } from "../storage/Storage.js"
import { Toolbox } from "../Toolbox.js"
import { LiveRuns } from "./LiveRuns.js"

/** Characters that a token is counted as when a context size in tokens bounds a view in characters. */
const charactersPerToken = 3

/** Tokens kept free for the step's own text when its options do not say. */
const outputTokens = 8_192

/** The wait before the first further try; it doubles from try to try. */
const firstDelayMillis = 500

/** The draft of a stream that ended as if all were well. */
const whole = (model: Model, draft: StepDraft.StepDraft): Effect.Effect<StepDraft.StepDraft, ModelFailed> => {
  const flaw = StepDraft.flaw(draft)
  return flaw === null
    ? Effect.succeed(draft)
    : new ModelFailed({ model: ModelRef.toText(model), ...flaw, status: null, retryAfterMillis: null })
}

export const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const models = yield* Models
  const assets = yield* Assets
  const config = yield* EngineConfig
  const toolbox = yield* Toolbox
  const live = yield* LiveRuns

  const tools: ReadonlyArray<ToolDefinition> = [...toolbox.tools.values()].map(
    ({ description, inputSchema, name }) => ({
      name,
      description,
      inputSchema
    })
  )
  const toolCharacters = JSON.stringify(tools).length + (config.system ?? "").length

  const missingAssets = Effect.fnUntraced(function* (session: Session, entries: ReadonlyArray<Entry>) {
    const named = entries.flatMap(({ message }) =>
      message.role === "user" ? message.parts.flatMap((part) => (isFile(part) ? [part.assetId] : [])) : []
    )
    if (named.length === 0) return new Set<AssetId>()
    const kept = new Set((yield* reader.assets(session.id)).map(({ id }) => id))
    return new Set(named.filter((id) => !kept.has(id)))
  })

  const requestOf = Effect.fnUntraced(function* (session: Session, model: Model, entries: ReadonlyArray<Entry>) {
    const options = session.model?.options ?? {}
    const room =
      model.contextTokens === null
        ? null
        : (model.contextTokens - (options.maxOutputTokens ?? outputTokens)) * charactersPerToken - toolCharacters
    const request: StepRequest = {
      system: config.system,
      view: View.make(entries, {
        provider: model.provider,
        maxCharacters: room === null ? null : Math.max(room, 1_000),
        missingAssets: yield* missingAssets(session, entries)
      }),
      tools,
      options,
      file: (assetId) => assets.bytes(session.id, assetId)
    }
    return request
  })

  const delayAfter = (failure: ModelFailed, attempt: number) =>
    Effect.map(Random.nextRange(0.8, 1.2), (jitter) =>
      Math.round(
        Math.min(failure.retryAfterMillis ?? firstDelayMillis * 2 ** (attempt - 1) * jitter, config.modelRetryMaxMillis)
      )
    )

  /** Gives the finished draft and the model that wrote it. */
  const run = Effect.fn("Steps.run")(function* (session: Session, runId: RunId, entries: ReadonlyArray<Entry>) {
    const model = yield* models.resolve(session)
    yield* Effect.annotateCurrentSpan({ sessionId: session.id, runId, provider: model.provider, model: model.model })
    yield* live.update(session.id, (now) => Live.beginStep(now, session.head + 1, model))
    const request = yield* requestOf(session, model, entries)
    for (let attempt = 1; ; attempt++) {
      const tried = yield* model.step(request).pipe(
        Stream.runForEach((part) => live.update(session.id, (now) => Live.addPart(now, part))),
        Effect.zipRight(Effect.suspend(() => whole(model, live.get(session.id)?.step?.draft ?? StepDraft.empty))),
        Effect.either
      )
      if (tried._tag === "Right") return { model, draft: tried.right }
      const failure = tried.left
      if (!failure.isRetryable || attempt >= config.modelAttempts) return yield* failure
      const delayMillis = yield* delayAfter(failure, attempt)
      const retry = { attempt: attempt + 1, delayMillis, reason: failure.reason }
      yield* live.update(session.id, (now) => Live.retryStep(now, retry))
      yield* Effect.sleep(Duration.millis(delayMillis))
    }
  })

  return { run }
})
