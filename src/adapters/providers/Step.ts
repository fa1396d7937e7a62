/**
 * One step of an AI SDK model as a stream.
 *
 * Guaranteed: interrupting the stream aborts its request at once; so does everything else that ends it early. Nothing
 * is retried. A provider that sends nothing for the idle time ends the step. `finish` is passed on when it comes; what
 * the server still sends is then read for at most a second, so that the connection can be used again.
 */
import type { LanguageModelV3, LanguageModelV3CallOptions, LanguageModelV3StreamPart } from "@ai-sdk/provider"
import { Chunk, Clock, Duration, Effect, Option, Predicate, Stream } from "effect"
import { ModelFailed } from "../../domain/SkeinError.js"
import type { Model, Part, StepRequest } from "../../services/Model.js"
import * as Failure from "./Failure.js"
import * as Prompt from "./Prompt.js"
import * as Reading from "./Reading.js"
import * as Vendor from "./Vendor.js"

export const model = (vendor: Vendor.Vendor): Model => ({
  provider: vendor.provider,
  model: vendor.model,
  contextTokens: vendor.contextTokens,
  outputTokens: (options) => Vendor.outputTokens(vendor, options),
  step: (request) =>
    Stream.unwrapScoped(open(vendor, request)).pipe(
      Stream.withSpan("Model.step", { attributes: { provider: vendor.provider, model: vendor.model } })
    )
})

const open = Effect.fnUntraced(function* (vendor: Vendor.Vendor, request: StepRequest) {
  const fault = vendor.secrets.map(Vendor.headerFault).find(Predicate.isNotNull)
  if (fault !== undefined) {
    return yield* Failure.make(Vendor.subject(vendor), "unauthorized", `its key or a header cannot be sent: ${fault}`)
  }
  const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(vendor.stepTimeout)
  const prompt = yield* Prompt.make(vendor, request)
  const languageModel = yield* Effect.tryPromise({
    try: vendor.load,
    catch: () => Failure.make(Vendor.subject(vendor), "rejected", "its package could not be loaded")
  })
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const answer = yield* ask(vendor, languageModel, { ...callOptions(vendor, request), prompt }, controller.signal)
  const reader = yield* Effect.acquireRelease(
    Effect.sync(() => answer.stream.getReader()),
    // Not awaited: it may wait for a server that is silent.
    (reader) => Effect.sync(() => void reader.cancel().catch(() => undefined))
  )
  const read = Effect.tryPromise({ try: () => reader.read(), catch: (error) => error }).pipe(
    Effect.map((result) => (result.done ? Option.none() : Option.some(result.value)))
  )
  return parts(vendor, within(vendor, deadline, read), answer.response?.headers?.["content-type"])
})

const ask = (
  vendor: Vendor.Vendor,
  languageModel: LanguageModelV3,
  options: LanguageModelV3CallOptions,
  abortSignal: AbortSignal
) =>
  Effect.tryPromise({
    try: () => {
      const answer = Promise.resolve(languageModel.doStream({ ...options, abortSignal, includeRawChunks: true }))
      // An answer that comes after all, once nobody reads it; one that is being read is locked and refuses.
      abortSignal.addEventListener(
        "abort",
        () => void answer.then(({ stream }) => stream.cancel()).catch(() => undefined)
      )
      return answer
    },
    catch: (error) => error
  }).pipe(
    Effect.catchAll((error) => failWith(vendor, error, "request")),
    Effect.timeoutFail({ duration: vendor.idleTimeout, onTimeout: () => silent(vendor) })
  )

const callOptions = (vendor: Vendor.Vendor, { options, tools, view }: StepRequest) => ({
  maxOutputTokens: Vendor.outputTokens(vendor, options) - vendor.thinkingTokens(options),
  ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  ...(options.seed === undefined ? {} : { seed: options.seed }),
  ...(options.stop === undefined ? {} : { stopSequences: options.stop.filter(vendor.takesStop) }),
  ...(tools.length === 0 ? {} : { tools: tools.map((tool) => functionTool(vendor, tool)) }),
  providerOptions: vendor.providerOptions(options, view)
})

const functionTool = ({ strictTools }: Vendor.Vendor, tool: StepRequest["tools"][number]) => ({
  type: "function" as const,
  name: tool.name,
  description: tool.description,
  inputSchema: tool.inputSchema,
  ...(strictTools === null ? {} : { strict: strictTools })
})

/** The next part, if it comes before the step's time is over and the provider has not fallen silent. */
const within = (vendor: Vendor.Vendor, deadline: number, read: Read): Read =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const left = Math.max(deadline - now, 0)
    const idle = Duration.toMillis(vendor.idleTimeout)
    return read.pipe(
      Effect.timeoutFail({
        duration: Duration.millis(Math.min(left, idle)),
        onTimeout: () => (left < idle ? overtime(vendor) : silent(vendor))
      })
    )
  })

type Read = Effect.Effect<Option.Option<LanguageModelV3StreamPart>, unknown>

const settleTime = Duration.seconds(1)

const parts = (vendor: Vendor.Vendor, read: Read, contentType: string | undefined): Stream.Stream<Part, ModelFailed> =>
  Stream.paginateChunkEffect(Reading.start(vendor.account), (reading) =>
    reading.status._tag === "finished"
      ? settle(read)
      : Effect.flatMap(take(vendor, read, reading), ([after, parts]) => advance(vendor, contentType, after, parts))
  )

type Page = readonly [Chunk.Chunk<Part>, Option.Option<Reading.Reading>]

const settle = (read: Read): Effect.Effect<Page> =>
  read.pipe(
    Effect.repeat({ until: Option.isNone }),
    Effect.timeoutOption(settleTime),
    Effect.ignore,
    Effect.as([Chunk.empty(), Option.none()])
  )

/** What the vendor's package does not pass on of the session's options is in the log. */
const noteIgnored = (vendor: Vendor.Vendor, part: Option.Option<LanguageModelV3StreamPart>): Effect.Effect<void> => {
  if (Option.isNone(part) || part.value.type !== "stream-start") return Effect.void
  const settings = part.value.warnings.flatMap((warning) => ("feature" in warning ? [warning.feature] : []))
  return settings.length === 0
    ? Effect.void
    : Effect.annotateLogs(Effect.logWarning("the model does not take all of the session's options"), {
        model: Vendor.subject(vendor).model,
        settings: settings.join(", ")
      })
}

const take = (vendor: Vendor.Vendor, read: Read, reading: Reading.Reading) =>
  read.pipe(
    Effect.tap((part) => noteIgnored(vendor, part)),
    Effect.map((part) =>
      Option.match(part, {
        onNone: () => [Reading.end(reading), []] as const,
        onSome: (part) => Reading.next(reading, part, vendor.mayIgnore)
      })
    ),
    Effect.catchAll((error) => failWith(vendor, reading.error === null ? error : reading.error.value, "stream"))
  )

const advance = (
  vendor: Vendor.Vendor,
  contentType: string | undefined,
  reading: Reading.Reading,
  parts: ReadonlyArray<Part>
): Effect.Effect<Page, ModelFailed> => {
  switch (reading.status._tag) {
    case "broken":
      return failWith(vendor, reading.status.error, "stream")
    case "malformed":
      return Effect.fail(Failure.make(Vendor.subject(vendor), "malformed", reading.status.detail))
    case "cut":
      return Effect.fail(
        reading.received || contentType === undefined || contentType.startsWith("text/event-stream")
          ? Failure.make(Vendor.subject(vendor), "cut", "the answer ended without a finish")
          : Failure.make(Vendor.subject(vendor), "malformed", `the answer is ${contentType} instead of an event stream`)
      )
    case "reading":
    case "finished":
      return Effect.succeed([Chunk.fromIterable(parts), Option.some(reading)])
  }
}

const silent = (vendor: Vendor.Vendor): ModelFailed =>
  Failure.make(Vendor.subject(vendor), "silent", `nothing came for ${Duration.format(vendor.idleTimeout)}`)

const overtime = (vendor: Vendor.Vendor): ModelFailed =>
  Failure.make(Vendor.subject(vendor), "cut", `the step took longer than ${Duration.format(vendor.stepTimeout)}`)

const failWith = (vendor: Vendor.Vendor, error: unknown, phase: Failure.Phase): Effect.Effect<never, ModelFailed> =>
  error instanceof ModelFailed
    ? Effect.fail(error)
    : Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.fail(Failure.fromUnknown(Vendor.subject(vendor), error, phase, now))
      )
