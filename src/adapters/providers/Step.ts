/**
 * One step of an AI SDK model as a stream.
 *
 * Guaranteed:
 * - Interrupting the stream, or ending it early in any other way, aborts its request at once.
 * - Nothing is retried.
 * - The step fails when the provider sends nothing for the idle time. Any byte of the answer counts, such as a comment
 *   that keeps the connection alive.
 * - `finish` is passed on at once. The rest of the response is then read for at most a second, so that the connection can
 *   be reused.
 */
import type { LanguageModelV3, LanguageModelV3CallOptions, LanguageModelV3StreamPart } from "@ai-sdk/provider"
import { Chunk, Clock, Duration, Effect, Option, Predicate, Stream } from "effect"
import { ModelFailed } from "../../domain/SkeinError.js"
import type { Model, Part, StepRequest } from "../../services/Model.js"
import * as Batches from "./Batches.js"
import * as Failure from "./Failure.js"
import * as Prompt from "./Prompt.js"
import * as Reading from "./Reading.js"
import * as Vendor from "./Vendor.js"

export const model = (vendor: Vendor.Vendor): Model => ({
  provider: vendor.provider,
  model: vendor.model,
  contextTokens: vendor.contextTokens,
  takesFilesInResults: vendor.takesFilesInResults,
  takesOutput: (schema) => vendor.takesOutput && vendor.outputSchema(schema) !== null,
  takesRefusedTurns: vendor.takesRefusedTurns,
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
  if (vendor.fault !== null) return yield* Failure.make(Vendor.subject(vendor), "rejected", vendor.fault)
  const clock = yield* Effect.clock
  const limits = { deadline: clock.unsafeCurrentTimeMillis() + Duration.toMillis(vendor.stepTimeout), heardAt: 0 }
  const fetch = Vendor.fetchHere(() => {
    limits.heardAt = clock.unsafeCurrentTimeMillis()
  })
  const prompt = yield* Prompt.make(vendor, request)
  const languageModel = yield* Effect.tryPromise({
    try: () => vendor.load(fetch),
    catch: () => Failure.make(Vendor.subject(vendor), "rejected", "its package could not be loaded")
  })
  const controller = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const asked = ask(languageModel, { ...callOptions(vendor, request), prompt }, controller.signal)
  const answer = yield* within(vendor, limits, asked).pipe(
    Effect.catchAll((error) => failWith(vendor, error, "request"))
  )
  const reader = yield* Effect.acquireRelease(
    Effect.sync(() => answer.stream.getReader()),
    // Not awaited: a silent server could block it.
    (reader) => Effect.sync(() => void reader.cancel().catch(() => undefined))
  )
  const read = Effect.tryPromise({ try: Batches.of(reader), catch: (error) => error })
  return parts(vendor, within(vendor, limits, read), answer.response?.headers?.["content-type"])
})

const ask = (languageModel: LanguageModelV3, options: LanguageModelV3CallOptions, abortSignal: AbortSignal) =>
  Effect.tryPromise({
    try: () => {
      const answer = Promise.resolve(languageModel.doStream({ ...options, abortSignal, includeRawChunks: true }))
      // Cancels an answer that arrives after the abort. One that is being read is locked and cannot be cancelled here.
      abortSignal.addEventListener(
        "abort",
        () => void answer.then(({ stream }) => stream.cancel()).catch(() => undefined)
      )
      return answer
    },
    catch: (error) => error
  })

const callOptions = (vendor: Vendor.Vendor, { options, output, tools, view }: StepRequest) => ({
  maxOutputTokens: Vendor.outputTokens(vendor, options) - vendor.thinkingTokens(options),
  ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  ...(options.seed === undefined ? {} : { seed: options.seed }),
  ...(options.stop === undefined ? {} : { stopSequences: options.stop.filter(vendor.takesStop) }),
  ...(tools.length === 0 ? {} : { tools: tools.map((tool) => functionTool(vendor, tool)) }),
  ...(output === null
    ? {}
    : { responseFormat: { type: "json" as const, schema: vendor.outputSchema(output) ?? output } }),
  providerOptions: vendor.providerOptions(options, view)
})

const functionTool = ({ strictTools }: Vendor.Vendor, tool: StepRequest["tools"][number]) => ({
  type: "function" as const,
  name: tool.name,
  description: tool.description,
  inputSchema: tool.inputSchema,
  ...(strictTools === null ? {} : { strict: strictTools })
})

/** Both in milliseconds since the epoch. */
interface Limits {
  readonly deadline: number
  /** When a byte of the answer last came; 0 before the first. */
  readonly heardAt: number
}

/** Waits for the answer or its next parts, within the idle time and the step's total time. */
const within = <A>(vendor: Vendor.Vendor, limits: Limits, wait: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
  Effect.flatMap(Clock.currentTimeMillis, (since) => Effect.raceFirst(wait, watch(vendor, limits, since)))

/** Fails once nothing came for the idle time, or at the deadline. */
const watch = (vendor: Vendor.Vendor, limits: Limits, since: number): Effect.Effect<never, ModelFailed> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const silentAt = Math.max(since, limits.heardAt) + Duration.toMillis(vendor.idleTimeout)
    if (now >= limits.deadline) return Effect.fail(overtime(vendor))
    return now >= silentAt
      ? Effect.fail(silent(vendor))
      : Effect.zipRight(
          Effect.sleep(Duration.millis(Math.min(silentAt, limits.deadline) - now)),
          watch(vendor, limits, since)
        )
  })

type BatchReader = Effect.Effect<ReadonlyArray<LanguageModelV3StreamPart> | null, unknown>

const settleTime = Duration.seconds(1)

const parts = (
  vendor: Vendor.Vendor,
  read: BatchReader,
  contentType: string | undefined
): Stream.Stream<Part, ModelFailed> =>
  Stream.paginateChunkEffect(Reading.start(vendor.account), (reading) => {
    switch (reading.status._tag) {
      case "reading":
        return take(vendor, read, reading)
      case "finished":
        return settle(read)
      case "broken":
        return failWith(vendor, reading.status.error, "stream")
      case "malformed":
        return Effect.fail(Failure.make(Vendor.subject(vendor), "malformed", reading.status.detail))
      case "cut":
        return Effect.fail(cut(vendor, contentType, reading))
    }
  })

type Page = readonly [Chunk.Chunk<Part>, Option.Option<Reading.Reading>]

const settle = (read: BatchReader): Effect.Effect<Page> =>
  read.pipe(
    Effect.repeat({ until: Predicate.isNull }),
    Effect.timeoutOption(settleTime),
    Effect.ignore,
    Effect.as([Chunk.empty(), Option.none()])
  )

/** Logs the session's options that the vendor's package does not pass on. */
const noteIgnored = (
  vendor: Vendor.Vendor,
  parts: ReadonlyArray<LanguageModelV3StreamPart> | null
): Effect.Effect<void> => {
  const warnings = (parts ?? []).flatMap((part) => (part.type === "stream-start" ? part.warnings : []))
  const settings = warnings.flatMap((warning) => ("feature" in warning ? [warning.feature] : []))
  return settings.length === 0
    ? Effect.void
    : Effect.annotateLogs(Effect.logWarning("the model does not accept all of the session's options"), {
        model: Vendor.subject(vendor).model,
        settings: settings.join(", ")
      })
}

const take = (vendor: Vendor.Vendor, read: BatchReader, reading: Reading.Reading): Effect.Effect<Page, ModelFailed> =>
  read.pipe(
    Effect.tap((parts) => noteIgnored(vendor, parts)),
    Effect.map((parts): Page => {
      if (parts === null) return [Chunk.empty(), Option.some(Reading.end(reading))]
      const [after, written] = readAll(vendor, reading, parts)
      return [Chunk.unsafeFromArray(written), Option.some(after)]
    }),
    Effect.catchAll((error) => failWith(vendor, reading.error === null ? error : reading.error.value, "stream"))
  )

/** Nothing is read after a finish or a failure. */
const readAll = (
  vendor: Vendor.Vendor,
  before: Reading.Reading,
  parts: ReadonlyArray<LanguageModelV3StreamPart>
): readonly [Reading.Reading, Array<Part>] => {
  let reading = before
  const written: Array<Part> = []
  for (const part of parts) {
    if (reading.status._tag !== "reading") break
    const [after, more] = Reading.next(reading, part, vendor)
    reading = after
    written.push(...more)
  }
  return [reading, written]
}

const cut = (vendor: Vendor.Vendor, contentType: string | undefined, { received }: Reading.Reading): ModelFailed =>
  received || contentType === undefined || contentType.startsWith("text/event-stream")
    ? Failure.make(Vendor.subject(vendor), "cut", "the answer ended without a finish")
    : Failure.make(Vendor.subject(vendor), "malformed", `the answer is ${contentType} instead of an event stream`)

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
