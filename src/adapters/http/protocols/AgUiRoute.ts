/**
 * AG-UI, for `HttpAgent` and pages built on it: `POST /agui` sends the client's last message to the session that it
 * calls a thread, and answers with the run. Only that message is trusted. Tools, state and context from the client are
 * ignored: an agent's tools run here.
 */
import { Effect, Schema } from "effect"
import * as Refusal from "../../../domain/Refusal.js"
import { SessionId } from "../../../domain/Session.js"
import { InvalidInput } from "../../../domain/SkeinError.js"
import * as Body from "../Body.js"
import * as AgUiEvents from "./AgUiEvents.js"
import * as RunStream from "./RunStream.js"
import * as Sending from "./Sending.js"

const Source = Schema.Struct({
  type: Schema.String,
  value: Schema.String,
  mimeType: Schema.optional(Schema.String)
}).annotations({ identifier: "PartSource" })

const Part = Schema.Struct({
  type: Schema.String,
  text: Schema.optional(Schema.String),
  source: Schema.optional(Source)
}).annotations({ identifier: "ContentPart" })

const Message = Schema.Struct({
  id: Schema.String,
  role: Schema.Literal("user"),
  content: Schema.Union(Schema.String, Schema.Array(Part))
}).annotations({ identifier: "UserMessage" })

const Input = Schema.Struct({
  threadId: SessionId,
  runId: Schema.String,
  messages: Schema.Array(Schema.Unknown)
}).annotations({ identifier: "RunAgentInput" })

const input = Body.json(Input, { unknownFields: "ignore", hasMessages: true })
const readMessage = Refusal.decoder(Message, "messages.last", "ignore")

const fileOf = ({ mimeType, type, value }: typeof Source.Type) =>
  type === "data" && mimeType !== undefined
    ? Effect.succeed({ url: `data:${mimeType};base64,${value}`, mediaType: mimeType, name: undefined })
    : new InvalidInput({ field: "source", limit: "data with its type", actual: "another one" })

/** `POST /agui` */
export const post = Effect.gen(function* () {
  const { messages, runId, threadId } = yield* input
  const { content, id } = yield* readMessage(messages.at(-1))
  const parts = typeof content === "string" ? [{ type: "text", text: content, source: undefined }] : content
  const files = yield* Effect.forEach(
    parts.flatMap(({ source }) => (source === undefined ? [] : [source])),
    fileOf
  )
  const text = parts.flatMap(({ text }) => (text === undefined ? [] : [text])).join("")
  const ref = yield* Sending.send({ sessionId: threadId, id, text, files })
  const names = { threadId, runId }
  return yield* RunStream.respond(ref, {
    headers: {},
    beginning: RunStream.data(AgUiEvents.began(names)),
    say: (told) => AgUiEvents.of(told, ref.runId, names).map(RunStream.data).join(""),
    explain: (error) => RunStream.data({ type: "RUN_ERROR", message: error.message, code: error._tag }),
    end: ""
  })
})
