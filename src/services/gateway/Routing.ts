/** The Gateway over a Runtime: input is checked against the limits here, before anything is changed. */
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { JsonRecord } from "../../domain/Json.js"
import * as Limits from "../../domain/Limits.js"
import { type FilePart, Message, type UserMessage } from "../../domain/Message.js"
import { ModelRef } from "../../domain/ModelRef.js"
import { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { Answer, Create, Gateway, type ModelChange, Send, type Service } from "./Gateway.js"
import { Ids } from "../Ids.js"
import { Runtime } from "../runtime/Runtime.js"
import { Leases } from "../runtime/Leases.js"
import type { SessionQuery } from "../storage/Storage.js"
import { StorageReader } from "../storage/Storage.js"
import * as Subscriptions from "./Subscriptions.js"

const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const runtime = yield* Runtime
  const assets = yield* Assets
  const config = yield* EngineConfig
  const leases = yield* Leases
  const ids = yield* Ids
  const subscriptions = yield* Subscriptions.make

  const { limits, traceContent } = config
  const create = Effect.fn("Gateway.create")(function* (input: Create) {
    const valid = yield* Limits.decode("create", Schema.typeSchema(Create))(input)
    const metadata = valid.metadata ?? {}
    yield* Limits.json("metadata", metadata, limits.metadataBytes)
    const id = valid.id ?? SessionId.make(yield* ids.next("ses"))
    yield* Effect.annotateCurrentSpan({ sessionId: id })
    return yield* runtime.create({
      id,
      title: valid.title === undefined ? null : yield* Limits.title(valid.title, limits),
      owner: Option.fromNullable(valid.owner),
      workdir: valid.workdir,
      model: valid.model ?? null,
      metadata
    })
  })

  const list = Effect.fn("Gateway.list")(function* (query: SessionQuery = {}) {
    const { limit } = query
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= 500)) {
      return yield* new SkeinError.InvalidInput({ field: "limit", limit: "1 to 500", actual: String(limit) })
    }
    return yield* reader.sessions(query)
  })

  const send = Effect.fn("Gateway.send")(function* (input: Send) {
    yield* Effect.annotateCurrentSpan({ sessionId: input.sessionId, ...(traceContent ? { text: input.text } : {}) })
    const valid = yield* Limits.decode("send", Schema.typeSchema(Send))(input)
    const files = (valid.files ?? []).map((file): FilePart => ({ type: "file", ...file }))
    if (valid.text.trim() === "" && files.length === 0) {
      return yield* new SkeinError.InvalidInput({ field: "text", limit: "some text or a file", actual: "neither" })
    }
    const message: UserMessage = {
      role: "user",
      parts: valid.text === "" ? files : [{ type: "text", text: valid.text }, ...files]
    }
    yield* Limits.json("text", message, limits.messageBytes)
    const metadata = valid.metadata ?? {}
    yield* Limits.json("metadata", metadata, limits.metadataBytes)
    const ref = yield* runtime.send({
      sessionId: valid.sessionId,
      message,
      metadata,
      idempotencyKey: valid.idempotencyKey ?? null,
      whenBusy: valid.whenBusy ?? "refuse"
    })
    yield* Effect.annotateCurrentSpan({ runId: ref.runId })
    return ref
  })

  const resume = (sessionId: SessionId) =>
    runtime.send({ sessionId, message: null, metadata: {}, idempotencyKey: null, whenBusy: "refuse" }).pipe(
      Effect.tap(({ runId }) => Effect.annotateCurrentSpan({ runId })),
      traced("resume", { sessionId })
    )

  // Checked, and passed on as they are: what this version does not know of a message is kept.
  const append = Effect.fn("Gateway.append")(function* (sessionId: SessionId, messages: ReadonlyArray<Message>) {
    yield* Effect.annotateCurrentSpan({ sessionId })
    yield* Limits.decode("messages", Schema.typeSchema(Schema.Array(Message)))(messages)
    return yield* runtime.append(sessionId, messages)
  })

  const patchMetadata = Effect.fn("Gateway.patchMetadata")(function* (sessionId: SessionId, patch: JsonRecord) {
    yield* Effect.annotateCurrentSpan({ sessionId })
    yield* Limits.decode("metadata", Schema.typeSchema(JsonRecord))(patch)
    return yield* runtime.patchMetadata(sessionId, patch)
  })

  const setModel = Effect.fn("Gateway.setModel")(function* (sessionId: SessionId, model: ModelRef | null) {
    yield* Effect.annotateCurrentSpan({ sessionId })
    const valid = model === null ? null : yield* Limits.decode("model", Schema.typeSchema(ModelRef))(model)
    return yield* runtime.setModel(sessionId, valid)
  })

  const setModels = Effect.fn("Gateway.setModels")((sessionIds: ReadonlyArray<SessionId>, model: ModelRef | null) =>
    Effect.forEach(sessionIds, (sessionId) =>
      Effect.match(setModel(sessionId, model), {
        onSuccess: (session): ModelChange => ({ _tag: "Changed", session }),
        onFailure: (error): ModelChange => ({ _tag: "Failed", sessionId, error })
      })
    )
  )

  const snapshot = Effect.fn("Gateway.snapshot")(function* (sessionId: SessionId) {
    yield* Effect.annotateCurrentSpan({ sessionId })
    // The cursor is read first: what is read after it may be newer, and its events then come again.
    const session = yield* reader.session(sessionId)
    const { holder, queued } = yield* reader.activity(sessionId)
    const run = yield* Effect.transposeMapOption(holder, (one) =>
      Effect.map(leases.standing(one), ({ _tag }) => ({ run: one.run, crashed: _tag === "Over" }))
    )
    return {
      session,
      cursor: session.cursor,
      run,
      queued,
      batch: yield* reader.openBatch(sessionId),
      questions: yield* reader.questions(sessionId),
      live: yield* subscriptions.live(sessionId)
    }
  })

  const answer = Effect.fn("Gateway.answer")(function* (input: Answer) {
    yield* Effect.annotateCurrentSpan({ questionId: input.questionId })
    const valid = yield* Limits.decode("answer", Schema.typeSchema(Answer))(input)
    return yield* runtime.answer(valid.questionId, {
      verdict: valid.verdict,
      message: valid.message ?? null,
      by: valid.by ?? null
    })
  })

  return {
    create,
    get: (sessionId) => reader.session(sessionId).pipe(traced("get", { sessionId })),
    list,
    transcript: (range) => reader.transcript(range).pipe(tracedStream("transcript", { sessionId: range.sessionId })),
    send,
    resume,
    append,
    cancel: (runId) => runtime.cancel(runId).pipe(traced("cancel", { runId })),
    rename: (sessionId, title) => runtime.rename(sessionId, title).pipe(traced("rename", { sessionId })),
    setModel,
    setModels,
    patchMetadata,
    delete: (sessionId) => runtime.delete(sessionId).pipe(traced("delete", { sessionId })),
    run: (runId) => reader.run(runId).pipe(traced("run", { runId })),
    await: (ref) => runtime.await(ref).pipe(traced("await", { sessionId: ref.sessionId, runId: ref.runId })),
    events: (range) => subscriptions.events(range).pipe(tracedStream("events", { sessionId: range.sessionId })),
    snapshot,
    question: (questionId) => reader.question(questionId).pipe(traced("question", { questionId })),
    questions: (sessionId) =>
      sessionId === undefined
        ? reader.questions(null).pipe(traced("questions", {}))
        : Effect.zipRight(reader.session(sessionId), reader.questions(sessionId)).pipe(
            traced("questions", { sessionId })
          ),
    answer,
    saveAsset: ({ content, mediaType, name, sessionId }) =>
      runtime.saveAsset({ sessionId, name: name ?? null, mediaType, content }).pipe(traced("saveAsset", { sessionId })),
    assets: (sessionId) => reader.assets(sessionId).pipe(traced("assets", { sessionId })),
    openAsset: (input) =>
      assets.open(input).pipe(tracedStream("openAsset", { sessionId: input.sessionId, assetId: input.assetId })),
    deleteAsset: (sessionId, assetId) =>
      runtime.deleteAsset(sessionId, assetId).pipe(traced("deleteAsset", { sessionId, assetId }))
  } satisfies Service
})

const traced = (name: string, attributes: Readonly<Record<string, string>>) =>
  Effect.withSpan(`Gateway.${name}`, { attributes })
const tracedStream = (name: string, attributes: Readonly<Record<string, string>>) =>
  Stream.withSpan(`Gateway.${name}`, { attributes })

export const layer = Layer.effect(Gateway, make)
