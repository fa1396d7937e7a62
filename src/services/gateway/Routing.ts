/** The Gateway over a Runtime: what each operation does with its checked input. */
import { Effect, Either, Layer, Option, Predicate, Stream, type Tracer } from "effect"
import { Checked } from "../../domain/Checked.js"
import type { JsonRecord } from "../../domain/Json.js"
import type { FilePart, Message, UserMessage } from "../../domain/Message.js"
import * as Output from "../../domain/Output.js"
import { refOf } from "../../domain/Run.js"
import { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Actor from "../Actor.js"
import { Agents } from "../Agents.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { afterText, EventLoop } from "../EventLoop.js"
import { Ids } from "../Ids.js"
import { Leases } from "../runtime/Leases.js"
import { Runtime } from "../runtime/Runtime.js"
import { StorageReader } from "../storage/Storage.js"
import * as SpanEnds from "../SpanEnds.js"
import { inPieces, Stretch } from "../Stretch.js"
import * as Changes from "./Changes.js"
import { Hashing } from "../Hashing.js"
import * as Exports from "./Exports.js"
import * as ForeignCalls from "./ForeignCalls.js"
import { Gateway, type Service } from "./Gateway.js"
import * as Listing from "./Listing.js"
import { type Operation, operations } from "./Operations.js"
import * as Refusals from "./Refusals.js"
import type { SessionChange } from "./Replies.js"
import type { Send } from "./Requests.js"
import * as Subscriptions from "./Subscriptions.js"
import * as Waiting from "./Waiting.js"

type Callable<P, Args extends ReadonlyArray<unknown>> = Pick<Operation<"all", P & object, Args>, "name" | "read">

const idNames = ["sessionId", "runId", "questionId", "assetId"]

/** Adds the ids in a payload to a span. */
const tellIds = (span: Tracer.AnySpan | undefined, payload: object): void => {
  if (span?._tag !== "Span") return
  for (const name of idNames) {
    const id = Predicate.hasProperty(payload, name) ? payload[name] : undefined
    if (typeof id === "string") span.attribute(name, id)
  }
}

/** Returns the checked payload of a call, and adds its ids to the span. */
const checked = <P extends object, Args extends ReadonlyArray<unknown>>({ read }: Callable<P, Args>, args: Args) =>
  Effect.withFiberRuntime<P, SkeinError.InvalidInput>((fiber) => {
    const payload = read(...args)
    if (Either.isRight(payload)) tellIds(fiber.currentSpan, payload.right)
    return payload
  })

/**
 * Methods that check their input, within the operation's span. Many calls at the same time do not all begin in one
 * stretch: other work has its turn between them.
 */
const methods = (stretch: Stretch["Type"], traceContent: boolean) => {
  const begin = <P extends object, Args extends ReadonlyArray<unknown>>(operation: Callable<P, Args>, args: Args) =>
    Effect.zipRight(stretch.breathe(), checked(operation, args))
  const traced = <A, E, R>(effect: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R> => {
    const inSpan = Effect.withSpan(effect, `Gateway.${name}`)
    return traceContent ? inSpan : SpanEnds.within(inSpan)
  }
  return {
    traced,
    method:
      <P extends object, Args extends ReadonlyArray<unknown>, A, E, R = never>(
        operation: Callable<P, Args>,
        handle: (payload: P) => Effect.Effect<A, E, R>
      ) =>
      (...args: Args): Effect.Effect<A, E | SkeinError.InvalidInput, R> =>
        traced(Effect.flatMap(begin(operation, args), handle), operation.name),
    streamMethod:
      <P extends object, Args extends ReadonlyArray<unknown>, A, E>(
        operation: Callable<P, Args>,
        handle: (payload: P) => Stream.Stream<A, E>
      ) =>
      (...args: Args): Stream.Stream<A, E | SkeinError.InvalidInput> =>
        (traceContent ? begin(operation, args) : SpanEnds.own(begin(operation, args))).pipe(
          Effect.map(handle),
          Stream.unwrap,
          Stream.withSpan(`Gateway.${operation.name}`)
        )
  }
}

/** Messages whose calls get ids in one stretch. */
const messagesInStretch = 1000

const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const runtime = yield* Runtime
  const agents = yield* Agents
  const assets = yield* Assets
  const leases = yield* Leases
  const ids = yield* Ids
  const subscriptions = yield* Subscriptions.make
  const { limits, traceContent } = yield* EngineConfig
  const { turn } = yield* EventLoop
  const stretch = yield* Stretch
  const { method, streamMethod, traced } = methods(stretch, traceContent)
  const nextMessage = stretch.oneOf(messagesInStretch)

  const checkedMessage = <M extends Message>(message: M) =>
    Effect.tap(Checked.message(message, limits), ({ json }) => afterText(turn, json))

  const create = method(operations.create, (input) =>
    Effect.gen(function* () {
      const metadata = yield* Checked.metadata(input.metadata ?? {}, limits)
      if (input.parent !== undefined) {
        yield* Effect.catchTag(reader.session(input.parent), "SessionNotFound", () => Refusals.noParent)
      }
      const id = input.id ?? SessionId.make(yield* ids.next("ses"))
      yield* Effect.annotateCurrentSpan({ sessionId: id })
      return yield* runtime.create({
        id,
        title: input.title ?? null,
        owner: input.owner ?? null,
        workdir: input.workdir ?? null,
        placement: input.placement ?? null,
        parent: input.parent ?? null,
        agent: input.agent ?? null,
        model: input.model ?? null,
        metadata
      })
    })
  )

  const sessions = method(operations.sessions, (query) => Listing.page(reader, leases, query))

  const questions = method(operations.questions, ({ owner, sessionId }) =>
    sessionId === undefined
      ? reader.questions(null, owner)
      : Effect.zipRight(reader.session(sessionId), reader.questions(sessionId, owner))
  )
  const exportSessions = streamMethod(operations.exportSessions, Exports.make(reader, assets, yield* Hashing))

  /**
   * The span covers only the beginning: one for the whole subscription would cost more per event than the event does.
   */
  const subscribe = method(operations.subscribe, subscriptions.events)

  const changes = method(operations.changes, (yield* Changes.make).subscribe)

  /** Uses the asset's own media type: a provider refuses a picture with a wrong one. */
  const filesOf = (sessionId: SessionId, files: NonNullable<Send["files"]>) =>
    Effect.map(files.length === 0 ? Effect.succeed([]) : reader.assets(sessionId), (assets) =>
      files.map(({ assetId, mediaType, name }): FilePart => {
        const asset = assets.find(({ id }) => id === assetId)
        return {
          type: "file",
          assetId,
          mediaType: asset?.mediaType ?? mediaType,
          ...(name === undefined ? {} : { name })
        }
      })
    )

  /** The size is checked first, because reading the schema takes time. */
  const outputOf = (schema: JsonRecord) =>
    Checked.output(schema, limits).pipe(
      Either.flatMap(() => Output.read(schema)),
      Either.flatMap((output) => Checked.output(output, limits))
    )

  const send = method(operations.send, ({ idempotencyKey, sessionId, text, ...input }) =>
    Effect.gen(function* () {
      if (traceContent) yield* Effect.annotateCurrentSpan({ text })
      const files = yield* filesOf(sessionId, input.files ?? [])
      if (text.trim() === "" && files.length === 0) {
        return yield* Refusals.emptyMessage
      }
      const message: UserMessage = { role: "user", parts: text === "" ? files : [{ type: "text", text }, ...files] }
      const ref = yield* runtime.send({
        sessionId,
        message: yield* checkedMessage(message),
        metadata: yield* Checked.metadata(input.metadata ?? {}, limits),
        output: input.output === undefined ? null : yield* outputOf(input.output),
        idempotencyKey: idempotencyKey ?? null,
        whenBusy: input.whenBusy ?? "refuse"
      })
      yield* Effect.annotateCurrentSpan({ runId: ref.runId })
      return ref
    })
  )

  const resume = method(operations.resume, ({ of = {}, sessionId }) => {
    const { idempotencyKey, runId } = of
    const meant =
      runId !== undefined ? { runId } : idempotencyKey !== undefined ? { idempotencyKey } : ("newest" as const)
    return Effect.tap(runtime.resume(sessionId, meant), ({ runId }) => Effect.annotateCurrentSpan({ runId }))
  })

  const recover = method(operations.recover, ({ limit, owner }) => runtime.recover(limit ?? null, owner ?? null))

  const patch = method(operations.patch, ({ sessionId, ...changes }) => runtime.patch(sessionId, changes))

  const snapshot = method(operations.snapshot, ({ sessionId }) =>
    Effect.gen(function* () {
      // The cursor is read first: what is read after it may be newer, and then its events come again.
      const session = yield* reader.session(sessionId)
      const { holder, queued } = yield* reader.activity(sessionId)
      const run = yield* Effect.transposeMapOption(holder, (one) =>
        Effect.map(leases.standing(one), (standing) => ({
          run: one.run,
          crashed: standing._tag === "Over" && standing.reason !== "released"
        }))
      )
      return {
        session,
        cursor: session.cursor,
        oldest: yield* reader.oldestCursor(sessionId),
        run: Option.getOrNull(run),
        queued,
        batch: yield* reader.openBatch(sessionId),
        questions: yield* reader.questions(sessionId),
        live: Option.getOrNull(yield* subscriptions.live(sessionId))
      }
    })
  )

  return {
    agents: method(operations.agents, () => Effect.succeed(agents.offered)),
    limits: method(operations.limits, () => Effect.succeed(assets.limits)),
    create,
    session: method(operations.session, ({ sessionId }) => reader.session(sessionId)),
    sessions: (query = {}) => sessions(query),
    entry: method(operations.entry, reader.entry),
    transcript: streamMethod(operations.transcript, reader.transcript),
    timeline: streamMethod(operations.timeline, reader.timeline),
    send,
    resume,
    recover: (which = {}) => recover(which),
    append: method(operations.append, ({ idempotencyKey, messages, sessionId }) =>
      ForeignCalls.adopt(messages, ids, nextMessage).pipe(
        Effect.flatMap((adopted) => Effect.flatten(inPieces(Checked.messages(adopted, limits), turn))),
        Effect.flatMap((checked) =>
          runtime.append(
            sessionId,
            checked,
            idempotencyKey === undefined ? null : { key: idempotencyKey, given: messages }
          )
        )
      )
    ),
    cancel: method(operations.cancel, ({ runId }) => runtime.cancel(runId)),
    patch,
    patchMany: method(operations.patchMany, ({ sessionIds, ...changes }) =>
      Effect.forEach(sessionIds, (sessionId) =>
        Effect.match(patch({ sessionId, ...changes }), {
          onSuccess: (session): SessionChange => ({ _tag: "Changed", session }),
          onFailure: (error): SessionChange => ({ _tag: "Failed", sessionId, error })
        })
      )
    ),
    delete: method(operations.delete, ({ sessionId }) => runtime.delete(sessionId)),
    run: method(operations.run, ({ runId }) => reader.run(runId)),
    runRef: method(operations.runRef, ({ runId }) => Effect.map(reader.run(runId), refOf)),
    runs: method(operations.runs, reader.runs),
    await: method(operations.await, (ref) => Effect.zipRight(Waiting.mayWait(ref, reader.run), runtime.await(ref))),
    events: (range) => Subscriptions.streamOf(subscribe(range)),
    changes: (query = {}) => Stream.unwrapScoped(changes(query)),
    subscribe,
    snapshot,
    question: method(operations.question, ({ questionId }) => reader.question(questionId)),
    questions: (which = {}) => questions(which),
    answer: method(operations.answer, ({ by, isDismissed = false, message, questionId, values, verdict }) =>
      Effect.gen(function* () {
        const actor = yield* Actor.Current
        const refusal =
          verdict === "deny" && values === undefined
            ? null
            : Refusals.ofAnswer(yield* reader.question(questionId), { verdict, values, isDismissed })
        if (refusal !== null) return yield* refusal
        const answer = { verdict, message: message ?? null, by: by ?? actor }
        return yield* runtime.answer(questionId, {
          ...answer,
          ...(values === undefined ? {} : { values }),
          ...(isDismissed ? { isDismissed } : {})
        })
      })
    ),
    saveAsset: (input) =>
      checked(operations.saveAsset, [input]).pipe(
        Effect.flatMap(({ mediaType, name, sessionId }) =>
          runtime.saveAsset({ sessionId, name: name ?? null, mediaType, content: input.content })
        ),
        (saving) => traced(saving, operations.saveAsset.name)
      ),
    assets: method(operations.assets, ({ sessionId }) => reader.assets(sessionId)),
    // A missing session is reported as such, as by every operation of a session.
    openAsset: streamMethod(operations.openAsset, (range) =>
      Stream.catchTag(assets.open(range), "AssetNotFound", (missing) =>
        Stream.execute(Effect.zipRight(reader.session(range.sessionId), missing))
      )
    ),
    deleteAsset: method(operations.deleteAsset, ({ assetId, sessionId }) => runtime.deleteAsset(sessionId, assetId)),
    exportSessions: (which = {}) => exportSessions(which),
    importSessions: (input) =>
      checked(operations.importSessions, [input]).pipe(
        Effect.flatMap(({ newIds, owner, withGrants }) =>
          runtime.importSessions({
            content: input.content,
            newIds: newIds ?? false,
            owner: owner ?? null,
            withGrants: withGrants ?? false,
            workdirFor: input.workdirFor ?? Effect.succeed
          })
        ),
        (importing) => traced(importing, operations.importSessions.name)
      )
  } satisfies Service
})

export const layer = Layer.scoped(Gateway, make)
