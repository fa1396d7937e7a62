/**
 * Helpers of the storage tests: they make sessions, messages and runs, and show the results.
 *
 * Short names that nearly every test uses:
 *
 * | name                         | what it is                                                                      |
 * | ---------------------------- | ------------------------------------------------------------------------------- |
 * | `s1`, `s2`                   | ids of sessions; where a test names no session, it is `s1`                      |
 * | `r1`, `r2`, `r3`             | ids of runs; where a test names no run, it is `r1`                              |
 * | `c1`, `c2`, …                | ids of calls, as plain text; call `c1` is of the tool `tool-c1`                 |
 * | `q1`, `q2`, `a1`             | ids of questions to a human, and of an asset                                    |
 * | `seq(3)`                     | the third place of a transcript; a run's message is 1, its first step's 2       |
 * | `firstEngine`,`secondEngine` | two engines, each of a process of its own on one host; runs start on the first  |
 * | `takeover(lease, n)`         | asks for a run whose engine had given `n` signs of life when it was checked     |
 * | `transcriptLines()`          | a transcript as lines, such as `3 success c1` and `4 assistant done`            |
 * | `eventLines(cursor)`         | the events after a cursor as lines, such as `call.finished c1 success`          |
 * | `refused(effect)`            | the error that an operation fails with, as plain data; dies when it succeeds    |
 */
import { Chunk, Effect, Either, Stream } from "effect"
import { type Asset, AssetId } from "../../../domain/Asset.js"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import { Checked } from "../../../domain/Checked.js"
import type { JsonRecord } from "../../../domain/Json.js"
import type { Beat, Lease, Presence } from "../../../domain/Lease.js"
import * as Limits from "../../../domain/Limits.js"
import {
  type UserMessage,
  type AssistantMessage,
  CallId,
  type Message,
  type Outcome,
  type ResultMessage,
  userText
} from "../../../domain/Message.js"
import { type Answer, QuestionId } from "../../../domain/Permission.js"
import { RunId } from "../../../domain/Run.js"
import { Seq, SessionId } from "../../../domain/Session.js"
import type * as SessionEvent from "../../../domain/SessionEvent.js"
import * as Usage from "../../../domain/Usage.js"
import {
  type Admission,
  type LeftSince,
  type AppendKey,
  type NewSession,
  type StepSequel,
  Storage,
  StorageReader,
  type Takeover
} from "../../../services/storage/Storage.js"

export const s1 = SessionId.make("s1")
export const s2 = SessionId.make("s2")
export const r1 = RunId.make("r1")
export const r2 = RunId.make("r2")
export const r3 = RunId.make("r3")
export const q1 = QuestionId.make("q1")
export const q2 = QuestionId.make("q2")
export const q3 = QuestionId.make("q3")
export const a1 = AssetId.make("a1")
export const seq = (place: number): Seq => Seq.make(place)

export const firstEngine: Presence = {
  engine: { bootId: "boot", pidNamespace: "ns", pid: 1, startTime: "10", instance: "i1", host: null },
  sign: { clock: "boot", at: 1_000 },
  leaseMillis: 15_000,
  placements: ["a-host"]
}
export const secondEngine: Presence = {
  engine: { ...firstEngine.engine, pid: 2, instance: "i2" },
  sign: { clock: "boot", at: 2_000 },
  leaseMillis: 20_000,
  placements: []
}

/** What storage has about an engine that gave `count` signs of life, the newest at `seenAt` on the storage's clock. */
export const beat = (count: number, { leaseMillis, sign }: Presence, seenAt = 1_000): Beat => ({
  count,
  sign,
  leaseMillis,
  seenAt
})

/** An engine in its own process. */
export const presence = (instance: string): Presence => ({
  ...firstEngine,
  engine: { ...firstEngine.engine, instance }
})

/** Takes over the run of an engine that crashed, after `count` signs of life, and ends it unless it waits for a human. */
export const takeover = (lease: Lease, count = 1): Takeover => ({
  lease,
  count,
  reason: "crashed",
  lookedAt: 1_000,
  recovery: "end"
})

/** The fields of a session, with metadata as plain JSON. */
type SessionFields = Partial<Omit<NewSession, "metadata"> & { readonly metadata: JsonRecord }>

/** @internal */
export const newSession = ({ metadata = {}, ...fields }: SessionFields = {}): NewSession => ({
  id: s1,
  title: "Title",
  owner: null,
  workdir: "/home/me",
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: Either.getOrThrow(Checked.metadata(metadata, Limits.defaults)),
  ...fields
})

/** Whenever a run was left. */
export const anyTime: LeftSince = { released: 0, silent: 0 }

export const create = (fields: SessionFields = {}) =>
  Effect.flatMap(Storage, (storage) => storage.createSession(newSession(fields)))

/** The fields of an admission, with message and metadata as plain values within any limit. */
export type AdmissionFields = Partial<
  Omit<Admission, "message" | "metadata" | "output"> & {
    readonly message: UserMessage
    readonly metadata: JsonRecord
    readonly output: JsonRecord | null
  }
>

export const admission = ({
  message = userText("Hello"),
  metadata = {},
  output = null,
  ...fields
}: AdmissionFields = {}): Admission => ({
  sessionId: s1,
  runId: r1,
  message: checked(message),
  metadata: Either.getOrThrow(Checked.metadata(metadata, Limits.defaults)),
  output: output === null ? null : Either.getOrThrow(Checked.output(output, Limits.defaults)),
  idempotencyKey: null,
  hash: "hash",
  textHash: "text hash",
  whenBusy: "refuse",
  presence: firstEngine,
  ...fields
})

/** Admits a run. Dies unless it starts immediately. */
export const start = (fields: AdmissionFields = {}) =>
  Effect.gen(function* () {
    const admitted = yield* (yield* Storage).admit(admission(fields))
    return admitted._tag === "Started" ? admitted : yield* Effect.dieMessage(`not started: ${admitted._tag}`)
  })

/** Makes a session, and starts a run in it. */
export const createAndStart = (fields: AdmissionFields = {}) =>
  Effect.zipRight(create({ id: fields.sessionId ?? s1 }), start(fields))

export const usage = (inputTokens: number, outputTokens: number): Usage.Usage => ({
  ...Usage.unknown,
  inputTokens,
  outputTokens,
  costMicroUsd: 2 * inputTokens
})

export const assistant = (
  text: string,
  calls: ReadonlyArray<string> = [],
  fields: Partial<AssistantMessage> = {}
): AssistantMessage => ({
  role: "assistant",
  parts: [
    { type: "text", text },
    ...calls.map((id) => ({ type: "call" as const, callId: CallId.make(id), name: `tool-${id}`, input: "{}" }))
  ],
  model: { provider: "p", model: "m" },
  finish: calls.length === 0 ? "stop" : "tool-calls",
  usage: Usage.unknown,
  ...fields
})

export const result = (id: string, text = `result of ${id}`, outcome: Outcome = "success"): ResultMessage => ({
  role: "tool",
  callId: CallId.make(id),
  name: `tool-${id}`,
  outcome,
  text
})

/** A message in the form that storage takes. Throws if it exceeds the limit. */
export const checked = <M extends Message>(message: M): Checked<M> =>
  Either.getOrThrow(Checked.message(message, Limits.defaults))

/** Appends messages to a session in which no run is live. */
export const append = (sessionId: SessionId, messages: ReadonlyArray<Message>, appendKey?: AppendKey) =>
  Effect.flatMap(Storage, (storage) =>
    storage.append(
      sessionId,
      messages.map((message) => checked(message)),
      appendKey
    )
  )

export const appendStep = (lease: Lease, message: AssistantMessage, sequel?: StepSequel) =>
  Effect.flatMap(Storage, (storage) => storage.appendStep(lease, checked(message), sequel))

export const storeResult = (lease: Lease, seq: Seq, result: ResultMessage) =>
  Effect.flatMap(Storage, (storage) => storage.storeResult(lease, seq, checked(result)))

/** Appends a step with these calls, which opens a batch. */
export const openBatch = (lease: Lease, ...calls: ReadonlyArray<string>) =>
  appendStep(lease, assistant("I call", calls))

export const question = (id: QuestionId, place: number, callId: string) => ({
  id,
  seq: seq(place),
  callId: CallId.make(callId),
  tool: `tool-${callId}`,
  access: "write" as const,
  display: CallDisplay.none,
  input: "{}"
})

export const allowOnce: Answer = { verdict: "allow-once", message: null, by: "Ann" }
export const allowForSession: Answer = { verdict: "allow-for-session", message: null, by: "Ann" }
export const deny: Answer = { verdict: "deny", message: "no", by: "Bob" }

export const asset = (fields: Partial<Asset> = {}): Asset => ({
  id: a1,
  sessionId: s1,
  name: "picture.png",
  mediaType: "image/png",
  size: 3,
  sha256: "ab",
  createdAt: 500,
  ...fields
})

/** Purges until nothing is left. */
export const purgeAll = (sessionId: SessionId = s1) =>
  Effect.flatMap(Storage, (storage) => Effect.repeat(storage.purge(sessionId), { until: (removed) => removed === 0 }))

/** Deletes a session in which no run is live, with all its data. */
export const destroy = (sessionId: SessionId = s1) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* storage.beginDelete(sessionId)
    yield* storage.hide(sessionId)
    yield* purgeAll(sessionId)
    yield* storage.forget(sessionId)
  })

/** The error that an operation fails with, as plain data. Dies when the operation succeeds. */
export const refused = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.succeed({ ...error }),
    onSuccess: (answer) => Effect.dieMessage(`not refused: ${JSON.stringify(answer)}`)
  })

export const session = (sessionId = s1) => Effect.flatMap(StorageReader, (reader) => reader.session(sessionId))

export const transcript = (sessionId = s1) =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    return Chunk.toReadonlyArray(yield* Stream.runCollect(reader.transcript({ sessionId })))
  })

/** A transcript as lines, each with its place: a user's or an assistant's text, a result's outcome and call. */
export const transcriptLines = (sessionId = s1) =>
  Effect.map(transcript(sessionId), (entries) =>
    entries.map(({ message, seq }) => {
      if (message.role === "tool") return `${seq} ${message.outcome} ${message.callId}`
      if (message.role === "other") return `${seq} ${message.role} ${message.unknownRole}`
      return `${seq} ${message.role} ${message.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join()}`
    })
  )

export const events = (after = 0, sessionId = s1) =>
  Effect.flatMap(StorageReader, (reader) => reader.events({ sessionId, after, limit: 10_000 }))

/** The events after a cursor as lines: the type and what it is about. */
export const eventLines = (after = 0, sessionId = s1) => Effect.map(events(after, sessionId), (all) => all.map(line))

const line = (event: SessionEvent.Durable): string => {
  switch (event.type) {
    case "session.created":
    case "session.renamed":
      return `${event.type} ${event.title}`
    case "session.model":
      return `${event.type} ${event.model === null ? "none" : event.model.model}`
    case "session.agent":
      return `${event.type} ${event.agent ?? "none"}`
    case "session.moved":
      return `${event.type} ${event.workdir ?? "nowhere"}`
    case "session.deleted":
      return event.type
    case "run.queued":
    case "run.started":
    case "run.released":
      return `${event.type} ${event.runId}`
    case "run.ended":
      return `${event.type} ${event.runId} ${event.stopReason}`
    case "message.appended":
      return `${event.type} ${event.seq} ${event.role}`
    case "call.started":
      return `${event.type} ${event.callId}`
    case "call.finished":
      return `${event.type} ${event.callId} ${event.outcome}`
    case "permission.asked":
      return `${event.type} ${event.questionId}`
    case "permission.answered":
      return `${event.type} ${event.questionId} ${event.verdict}`
    case "asset.saved":
    case "asset.deleted":
      return `${event.type} ${event.assetId}`
    case "other":
      return `${event.type} ${event.unknownType}`
  }
}
