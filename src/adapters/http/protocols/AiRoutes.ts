/**
 * The AI SDK's UI message stream, which `useChat` and the like read: a chat is a session.
 *
 * - `POST /ai/chat` sends the client's last message, and answers with its run. The rest of the client's history is
 *   ignored: the transcript is the history.
 * - `GET /ai/chat/{id}/stream` answers with the run that holds the session, from its beginning; otherwise with the run
 *   that ended a moment ago, for a client that was cut off before its end; otherwise with 204. A message that the
 *   client already has is written again from the start.
 * - `GET /ai/chat/{id}/messages` answers with the transcript, for a client that loads a chat.
 *
 * Questions about calls are answered at `/v1/questions/{id}/answer`, by the id of the approval; the stream continues.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, HashMap, Schema, Stream } from "effect"
import * as Refusal from "../../../domain/Refusal.js"
import { refOf } from "../../../domain/Run.js"
import { Seq, SessionId } from "../../../domain/Session.js"
import { InvalidInput } from "../../../domain/SkeinError.js"
import type { Service } from "../../../services/gateway/Gateway.js"
import * as Body from "../Body.js"
import { call } from "../Handlers.js"
import * as JsonArray from "../JsonArray.js"
import { addressOf } from "./Addresses.js"
import * as RunStream from "./RunStream.js"
import type { Told } from "./RunTelling.js"
import * as Sending from "./Sending.js"
import * as UiChunks from "./UiChunks.js"
import * as UiMessages from "./UiMessages.js"

const Part = Schema.Struct({
  type: Schema.String,
  text: Schema.optional(Schema.String),
  url: Schema.optional(Schema.String),
  mediaType: Schema.optional(Schema.String),
  filename: Schema.optional(Schema.String)
}).annotations({ identifier: "UiPart" })

const Message = Schema.Struct({ id: Schema.String, role: Schema.String, parts: Schema.Array(Part) }).annotations({
  identifier: "UiMessage"
})

const Chat = Schema.Struct({
  id: SessionId,
  messages: Schema.Array(Schema.Unknown),
  trigger: Schema.optional(Schema.String),
  messageId: Schema.optional(Schema.NullOr(Schema.String))
}).annotations({ identifier: "UiChat" })

const chat = Body.json(Chat, { unknownFields: "ignore", hasMessages: true })
const readMessage = Refusal.decoder(Message, "messages.last", "ignore")

const refused = (field: string, limit: string) => new InvalidInput({ field, limit, actual: "another one" })

/** The new message in what a client sends. */
const newMessage = ({ id, messageId, messages, trigger = "submit-message" }: typeof Chat.Type) =>
  Effect.gen(function* () {
    if (trigger !== "submit-message" || (messageId ?? null) !== null) {
      return yield* refused("trigger", "a new message: the transcript cannot be changed")
    }
    const message = yield* readMessage(messages.at(-1))
    if (message.role !== "user") return yield* refused("messages.last.role", '"user"')
    const files = message.parts.flatMap(({ filename, mediaType, type, url }) =>
      type === "file" && url !== undefined && mediaType !== undefined ? [{ url, mediaType, name: filename }] : []
    )
    const text = message.parts
      .flatMap(({ text, type }) => (type === "text" && text !== undefined ? [text] : []))
      .join("")
    return { sessionId: id, id: message.id, text, files }
  })

type Say = (told: Told) => ReadonlyArray<UiChunks.UiChunk>

const form = (runId: string, say: Say): RunStream.Form => ({
  headers: { "x-vercel-ai-ui-message-stream": "v1" },
  beginning: RunStream.data({ type: "start", messageId: runId }),
  say: (told) => say(told).map(RunStream.data).join(""),
  explain: (error) => RunStream.data({ type: "error", errorText: error.message }),
  end: "data: [DONE]\n\n"
})

/** `POST /ai/chat` */
export const post = Effect.gen(function* () {
  const message = yield* Effect.flatMap(chat, newMessage)
  const ref = yield* Sending.send(message)
  const urlOf = yield* addressOf(ref.sessionId)
  return yield* RunStream.respond(
    ref,
    form(ref.runId, (told) => UiChunks.of(told, urlOf))
  )
})

/** How long after its end a run is still sent to clients that come back. */
const freshMillis = 10 * 60_000

/** The run that holds a session, or the newest if it ended a moment ago. */
const recent = (gateway: Service, sessionId: SessionId) =>
  Effect.gen(function* () {
    const { run } = yield* gateway.snapshot(sessionId)
    if (run !== null) return run.crashed ? null : run.run
    const [newest] = yield* gateway.runs({ sessionId, limit: 1 })
    const now = yield* Clock.currentTimeMillis
    return newest?.state === "ended" && now - newest.endedAt < freshMillis ? newest : null
  })

/**
 * `GET /ai/chat/{id}/stream`. Of a run that has ended, errors are left out: a client that comes back at each error
 * would otherwise do so forever.
 */
export const resume = (sessionId: SessionId) =>
  Effect.gen(function* () {
    const nothing = HttpServerResponse.empty({ status: 204 })
    const run = yield* Effect.catchTag(
      call((gateway) => recent(gateway, sessionId)),
      "SessionNotFound",
      () => Effect.succeed(null)
    )
    if (run === null) return nothing
    const urlOf = yield* addressOf(sessionId)
    const all: Say = (told) => UiChunks.of(told, urlOf)
    if (run.state !== "ended") return yield* RunStream.respond(refOf(run), form(run.id, all))
    const past: Say = (told) => all(told).filter(({ type }) => type !== "error")
    return yield* Effect.catchTag(RunStream.respond(refOf(run), form(run.id, past)), "CursorGone", () =>
      Effect.succeed(nothing)
    )
  })

const respond = JsonArray.respond(Schema.Unknown)

/** `GET /ai/chat/{id}/messages` */
export const messages = (sessionId: SessionId) =>
  call((gateway) =>
    Effect.gen(function* () {
      const { batch, questions, session } = yield* gateway.snapshot(sessionId)
      const known: UiMessages.Known = {
        questions: HashMap.fromIterable(questions.map((question) => [question.callId, question])),
        urlOf: yield* addressOf(sessionId)
      }
      const entries = session.head === 0 ? Stream.empty : gateway.transcript({ sessionId, to: Seq.make(session.head) })
      const all = entries.pipe(
        Stream.concat(Stream.fromIterable(batch.stored)),
        Stream.groupAdjacentBy(UiMessages.keyOf),
        Stream.filterMap(([key, entries]) => UiMessages.of(key, entries, known))
      )
      return yield* respond(all)
    })
  )
