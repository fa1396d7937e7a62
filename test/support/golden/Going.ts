/** How a user goes on in every session of a golden data folder, and what the result must be. */
import { Chunk, Effect, Layer, Logger, Option, Schema, Stream } from "effect"
import { Entry, type Message } from "../../../src/domain/Message.js"
import { Session, type SessionId } from "../../../src/domain/Session.js"
import * as Transcript from "../../../src/domain/Transcript.js"
import { Agents, Gateway, Model, Permissions, Tool } from "../../../src/index.js"
import { SkeinNode } from "../../../src/node.js"
import { StorageReader } from "../../../src/services/storage/Storage.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { engineIn } from "../../unit/services/storage/disk.js"

/** A model that answers any request. */
const answering: Model.Model = {
  ...ScriptedModel.make([]),
  step: (request) => ScriptedModel.make([ScriptedModel.text("An answer")]).step({ ...request, view: [] })
}

/** The tools that golden sessions call. */
const tools = ["work", "danger"].map((name) =>
  Tool.make(name, { description: name, access: "read", input: {} }).handle(() => Effect.succeed(`${name} was done`))
)

/** An engine that recovers nothing until it is asked to, without the log of the migration. */
const engineOn = (data: string) =>
  SkeinNode.layer({ data, synchronous: "NORMAL", recoverMillis: null }).pipe(
    Layer.provide(Agents.layer({ models: Model.always(answering), tools, policy: Permissions.askToWrite })),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )

const encodeSession = Schema.encodeSync(Session)
const encodeEntry = Schema.encodeSync(Entry)

/** What this version shows: the sessions, and each session's transcript with the results that wait beyond its head. */
export const show = (data: string) =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    const { damaged, sessions } = yield* reader.sessions({ limit: 500 })
    const transcripts = yield* Effect.forEach(sessions, ({ id }) =>
      Effect.gen(function* () {
        const appended = yield* Stream.runCollect(reader.transcript({ sessionId: id }))
        const { stored } = yield* reader.openBatch(id)
        return { id, entries: [...appended, ...stored].map((entry) => encodeEntry(entry)) }
      })
    )
    return { damaged, sessions: sessions.map((session) => encodeSession(session)), transcripts }
  }).pipe(Effect.provide(engineIn(data)), Effect.provide(Logger.remove(Logger.defaultLogger)))

/** What is open in a session before the user goes on: the run that holds it, queued runs, calls without a result, questions. */
const openIn = (data: string) =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    const { sessions } = yield* reader.sessions({ limit: 500 })
    return yield* Effect.forEach(sessions, ({ id }) =>
      Effect.gen(function* () {
        const { holder, queued } = yield* reader.activity(id)
        const { calls } = yield* reader.openBatch(id)
        const questions = yield* reader.questions(id)
        return {
          id,
          running: Option.match(holder, { onNone: () => [], onSome: ({ run }) => [run.id] }),
          queued: queued.map((run) => run.id),
          calls,
          questions: questions.map((question) => question.id)
        }
      })
    )
  }).pipe(Effect.provide(engineIn(data)), Effect.provide(Logger.remove(Logger.defaultLogger)))

/** How a user goes on. */
export type Way = "message" | "resume" | "answer"

/** The result in one session. */
interface Outcome {
  readonly id: SessionId
  /** How the run ended that was waited for; null if there was nothing to wait for. */
  readonly stopReason: string | null
  readonly isSendable: boolean
  readonly entries: ReadonlyArray<typeof Entry.Encoded>
  /** The runs of the user's messages, beginning with the first queued one, in transcript order. */
  readonly order: ReadonlyArray<string>
  /** What that order must be. */
  readonly queue: ReadonlyArray<string>
  /** The outcomes of the calls that were open: those that had started, and those that a question was open about. */
  readonly started: ReadonlyArray<string>
  readonly asked: ReadonlyArray<string>
  /** How many questions are still open. */
  readonly questions: number
}

const outcomeOf = (messages: ReadonlyArray<Message>, callId: string): string =>
  messages.flatMap((message) => (message.role === "tool" && message.callId === callId ? [message.outcome] : []))[0] ??
  "without a result"

/** Goes on in each session in the given way, and waits until nothing runs there. */
export const goOn = (data: string, way: Way) =>
  Effect.gen(function* () {
    // No engine takes up a session unless it is asked to; an answer asks for the session of its question.
    const before = (yield* openIn(data)).filter(({ questions }) => way !== "answer" || questions.length > 0)
    return yield* Effect.forEach(before, ({ calls, id, queued, questions, running }) =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const sent =
          way === "message" ? [yield* gateway.send({ sessionId: id, text: "and now", whenBusy: "queue" })] : []
        const resumed = way === "resume" ? [yield* gateway.resume(id)] : []
        for (const questionId of questions) yield* gateway.answer({ questionId, verdict: "allow-once" })
        const { cursor } = yield* gateway.session(id)
        const asked = questions.length > 0 ? running : []
        const waited = [...asked, ...(way === "answer" ? [] : queued)].map((runId) => ({
          sessionId: id,
          runId,
          cursor
        }))
        // Resuming a session with queued runs goes on with the first of them, and the rest of the queue by itself.
        const ends = yield* Effect.forEach([...waited, ...resumed, ...sent], (ref) => gateway.await(ref))
        const ended = ends.at(-1)
        const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))
        const messages = entries.map(({ message }) => message)
        const queue = [...queued, ...sent.map(({ runId }) => runId)]
        return {
          id,
          stopReason: ended?.stopReason ?? null,
          isSendable: Transcript.isSendable(entries),
          entries: entries.map((entry) => encodeEntry(entry)),
          order: entries.flatMap(({ message, runId }) =>
            message.role === "user" && runId !== null && queue.includes(runId) ? [runId] : []
          ),
          queue,
          started: calls.filter(({ state }) => state === "started").map(({ callId }) => outcomeOf(messages, callId)),
          asked: calls
            .filter(({ questionId }) => questionId !== null && questions.includes(questionId))
            .map(({ callId }) => outcomeOf(messages, callId)),
          questions: (yield* gateway.questions({ sessionId: id })).length
        } satisfies Outcome
      })
    ).pipe(Effect.provide(engineOn(data)))
  })
