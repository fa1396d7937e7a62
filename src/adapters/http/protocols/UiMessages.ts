/**
 * A transcript as the AI SDK's UI messages: what its chats begin with when they are loaded. Pure. Everything that a run
 * wrote is one message, with the run's id and the parts that its stream would have made.
 */
import { Chunk, HashMap, Option } from "effect"
import { type CallId, callsOf, type Entry, isFile, isText, type ResultMessage } from "../../../domain/Message.js"
import type { Question } from "../../../domain/Permission.js"
import { present } from "../../../domain/Present.js"
import * as ResultContent from "./ResultContent.js"
import * as RunTelling from "./RunTelling.js"

interface UiPart {
  readonly type: string
  readonly [field: string]: unknown
}

interface UiMessage {
  readonly id: string
  readonly role: "user" | "assistant"
  readonly parts: ReadonlyArray<UiPart>
}

/** What is known about a session besides its transcript. */
export interface Known {
  /** Questions that wait for an answer, by their call. */
  readonly questions: HashMap.HashMap<CallId, Question>
  readonly urlOf: ResultContent.UrlOf
}

/** Adjacent entries with the same key are one message. */
export const keyOf = ({ message, runId, seq }: Entry): string =>
  message.role === "user" ? `message-${seq}` : (runId ?? "appended")

const afterCall = (callId: CallId, result: ResultMessage | undefined, { questions, urlOf }: Known) => {
  if (result === undefined) {
    return Option.match(HashMap.get(questions, callId), {
      onNone: () => ({ state: "input-available" }),
      onSome: ({ id }) => ({ state: "approval-requested", approval: { id } })
    })
  }
  const { outcome, text } = result
  if (outcome === "denied") return { state: "output-denied", approval: { id: callId, approved: false, reason: text } }
  const toolMetadata = ResultContent.aboutOf(result, urlOf)
  return outcome === "success"
    ? { state: "output-available", output: ResultContent.valueOf(result), toolMetadata }
    : { state: "output-error", errorText: text, toolMetadata }
}

const ofAssistant = (entries: ReadonlyArray<Entry>, known: Known): ReadonlyArray<UiPart> => {
  const results = new Map(
    entries.flatMap(({ message }) => (message.role === "tool" ? [[message.callId, message]] : []))
  )
  return entries.flatMap(({ message, seq }) => {
    if (message.role !== "assistant") return []
    const parts = RunTelling.partsOf(message).map(({ kind, text }, nth) => ({
      type: kind,
      ...(kind === "reasoning" ? { id: RunTelling.partId(seq, nth) } : {}),
      text,
      state: "done"
    }))
    const calls = callsOf(message).map(({ callId, input, name }) => ({
      type: "dynamic-tool",
      toolName: name,
      toolCallId: callId,
      input: ResultContent.inputOf(input),
      providerExecuted: true,
      ...afterCall(callId, results.get(callId), known)
    }))
    return [{ type: "step-start" }, ...parts, ...calls]
  })
}

const ofUser = ({ message }: Entry, { urlOf }: Known): ReadonlyArray<UiPart> =>
  message.role !== "user"
    ? []
    : message.parts.flatMap((part): ReadonlyArray<UiPart> => {
        if (isText(part)) return [{ type: "text", text: part.text }]
        if (!isFile(part)) return []
        const { assetId, mediaType, name: filename } = part
        return [{ type: "file", mediaType, url: urlOf(assetId), ...present({ filename }) }]
      })

/** Returns the message that the entries of one key make up, or none if they contain nothing that front ends know. */
export const of = (key: string, entries: Chunk.NonEmptyChunk<Entry>, known: Known): Option.Option<UiMessage> => {
  const first = Chunk.headNonEmpty(entries)
  if (first.message.role === "user") return Option.some({ id: key, role: "user", parts: ofUser(first, known) })
  const parts = ofAssistant(Chunk.toReadonlyArray(entries), known)
  const id = first.runId ?? `${key}-${first.seq}`
  return parts.length === 0 ? Option.none() : Option.some({ id, role: "assistant", parts })
}
