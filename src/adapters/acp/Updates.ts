/** A session's texts and calls as updates of the Agent Client Protocol. Pure. */
import type {
  ContentBlock,
  ImageContent,
  SessionUpdate,
  ToolCallContent,
  ToolCallUpdate
} from "@agentclientprotocol/sdk"
import { Option } from "effect"
import { resolve } from "node:path"
import type { CallDisplay } from "../../domain/CallDisplay.js"
import {
  type AssistantMessage,
  type CallId,
  type CallPart,
  callsOf,
  type Entry,
  isDiff,
  type ResultMessage,
  textOf
} from "../../domain/Message.js"
import * as Plan from "../../services/Plan.js"
import * as ResultContent from "../http/protocols/ResultContent.js"
import * as RunTelling from "../http/protocols/RunTelling.js"

const text = (text: string): ContentBlock => ({ type: "text", text })

const content = (of: string): ToolCallContent => ({ type: "content", content: text(of) })

/** What a user said. */
const ofUser = (content: ContentBlock, seq: number): SessionUpdate => ({
  sessionUpdate: "user_message_chunk",
  content,
  messageId: String(seq)
})

/** How a call is shown, as far as its tool says. */
export const shownAs = ({ kind, locations, title }: CallDisplay) => ({
  kind,
  locations: locations.map(({ line, path }) => ({ path, ...(line === undefined ? {} : { line }) })),
  ...(title === null ? {} : { title })
})

const chunk = (kind: "text" | "reasoning", of: string, messageId: string): SessionUpdate => ({
  sessionUpdate: kind === "text" ? "agent_message_chunk" : "agent_thought_chunk",
  content: text(of),
  messageId
})

/** A remark of the agent itself. Editors may join it with the next message. */
export const remark = (of: string, nth: number): SessionUpdate => chunk("text", `${of}\n\n`, `remark-${nth}`)

/** The result of a call, which replaces what was told about its progress. */
const ofResult = (message: ResultMessage): SessionUpdate => ({
  sessionUpdate: "tool_call_update",
  toolCallId: message.callId,
  status: message.outcome === "success" ? "completed" : "failed",
  content: [
    ...(message.parts ?? [])
      .filter(isDiff)
      .map(({ after, before, path }): ToolCallContent => ({ type: "diff", path, oldText: before, newText: after })),
    ...(message.text === "" ? [] : [content(message.text)])
  ]
})

const began = (toolCallId: string, name: string, input?: string, display?: CallDisplay): SessionUpdate => ({
  sessionUpdate: "tool_call",
  toolCallId,
  name,
  status: "pending",
  kind: "other",
  title: name,
  ...(display === undefined ? {} : shownAs(display)),
  ...(input === undefined ? {} : { rawInput: ResultContent.inputOf(input) })
})

/** The plan that a call sets, which replaces the one before. */
const planOf = (call: Pick<CallPart, "input" | "name">): ReadonlyArray<SessionUpdate> =>
  Option.match(Plan.stepsOf(call), {
    onNone: () => [],
    onSome: (steps) => [{ sessionUpdate: "plan", entries: steps.map((step) => ({ ...step })) }]
  })

/** The updates for something told about a run. */
export const of = (told: RunTelling.Told): ReadonlyArray<SessionUpdate> => {
  switch (told.type) {
    case "part.grew":
      return [chunk(told.kind, told.text, told.id)]
    case "call.began":
      return [began(told.callId, told.name)]
    case "call.read": {
      const { callId: toolCallId, input } = told.call
      const update = { sessionUpdate: "tool_call_update", toolCallId, rawInput: ResultContent.inputOf(input) } as const
      return [update, ...planOf(told.call)]
    }
    case "call.void":
      return [{ sessionUpdate: "tool_call_update", toolCallId: told.callId, status: "failed" }]
    case "progress":
      return [{ sessionUpdate: "tool_call_update", toolCallId: told.callId, content: [content(told.text)] }]
    case "result":
      return [ofResult(told.message)]
    default:
      return []
  }
}

/** The update for a call that has started. */
export const started = (toolCallId: string, display: CallDisplay): SessionUpdate => ({
  sessionUpdate: "tool_call_update",
  toolCallId,
  status: "in_progress",
  ...shownAs(display)
})

const ofAssistant = (message: AssistantMessage, seq: number, displays: Displays): ReadonlyArray<SessionUpdate> => [
  ...RunTelling.partsOf(message).map(({ kind, text }, nth) => chunk(kind, text, RunTelling.partId(seq, nth))),
  ...callsOf(message).flatMap((call) => [
    began(call.callId, call.name, call.input, displays.get(call.callId)),
    ...planOf(call)
  ])
]

/** How calls are shown, as far as that is known. */
export type Displays = ReadonlyMap<CallId, CallDisplay>

/** The updates for an entry of the transcript. `images` are those of a user's message, in base64. */
export const ofEntry = (
  { message, seq }: Entry,
  { displays, images }: { readonly displays: Displays; readonly images: ReadonlyArray<ImageContent> }
): ReadonlyArray<SessionUpdate> => {
  if (message.role === "assistant") return ofAssistant(message, seq, displays)
  if (message.role === "tool") return [ofResult(message)]
  if (message.role !== "user") return []
  const said = textOf(message)
  return [
    ...(said === "" && images.length > 0 ? [] : [ofUser(text(said), seq)]),
    ...images.map((image) => ofUser({ type: "image", ...image }, seq))
  ]
}

/** The update, with the editor's own terminal in place of the text of a call that runs or ran in it. */
export const withTerminal = (update: SessionUpdate, terminals: ReadonlyMap<string, string>): SessionUpdate => {
  if (update.sessionUpdate !== "tool_call_update" || !update.content) return update
  const terminalId = terminals.get(update.toolCallId)
  return terminalId === undefined
    ? update
    : {
        ...update,
        content: [{ type: "terminal", terminalId }, ...update.content.filter(({ type }) => type === "diff")]
      }
}

/** Resolves a call's locations and changed files against the session's folder: the protocol has absolute paths only. */
export const inFolder = <A extends Pick<ToolCallUpdate, "content" | "locations">>(
  call: A,
  workdir: string | null
): A => {
  if (workdir === null) return call
  const { content, locations } = call
  return {
    ...call,
    ...(locations ? { locations: locations.map((place) => ({ ...place, path: resolve(workdir, place.path) })) } : {}),
    ...(content
      ? {
          content: content.map((one) => (one.type === "diff" ? { ...one, path: resolve(workdir, one.path) } : one))
        }
      : {})
  }
}
