/**
 * A run as AG-UI events. Pure. Message ids are made from the run's id and places, so they are the same each time they
 * are told. The protocol has no events for questions, answers and progress: they are `CUSTOM`, under our names.
 */
import type { RunId, StopReason } from "../../../domain/Run.js"
import type { Told } from "./RunTelling.js"

interface AgUiEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** What the client calls the session and the run. */
interface Names {
  readonly threadId: string
  readonly runId: string
}

const failures: ReadonlyArray<StopReason> = ["failed", "crashed", "lease-lost", "deleted"]

/** The first of a run's events. */
export const began = (names: Names): AgUiEvent => ({ type: "RUN_STARTED", ...names })

const custom = (name: string, value: unknown): AgUiEvent => ({ type: "CUSTOM", name, value })

/** Returns the events for something told about a run. */
export const of = (told: Told, run: RunId, names: Names): ReadonlyArray<AgUiEvent> => {
  const idOf = (place: string | number) => `${run}-${place}`
  switch (told.type) {
    case "run.began":
      return []
    case "step.began":
      return [{ type: "STEP_STARTED", stepName: `step ${told.seq}` }]
    case "step.ended":
      return [{ type: "STEP_FINISHED", stepName: `step ${told.seq}` }]
    case "part.began": {
      const messageId = idOf(told.id)
      return told.kind === "text"
        ? [{ type: "TEXT_MESSAGE_START", messageId, role: "assistant" }]
        : [
            { type: "REASONING_START", messageId },
            { type: "REASONING_MESSAGE_START", messageId, role: "reasoning" }
          ]
    }
    case "part.grew":
      return [
        {
          type: told.kind === "text" ? "TEXT_MESSAGE_CONTENT" : "REASONING_MESSAGE_CONTENT",
          messageId: idOf(told.id),
          delta: told.text
        }
      ]
    case "part.ended": {
      const messageId = idOf(told.id)
      const metadata = told.isVoid ? { metadata: { skein: { void: true } } } : {}
      return told.kind === "text"
        ? [{ type: "TEXT_MESSAGE_END", messageId, ...metadata }]
        : [
            { type: "REASONING_MESSAGE_END", messageId, ...metadata },
            { type: "REASONING_END", messageId }
          ]
    }
    case "call.began":
      return [
        {
          type: "TOOL_CALL_START",
          toolCallId: told.callId,
          toolCallName: told.name,
          parentMessageId: idOf(told.seq)
        }
      ]
    case "call.grew":
      return [{ type: "TOOL_CALL_ARGS", toolCallId: told.callId, delta: told.text }]
    case "call.read": {
      const toolCallId = told.call.callId
      const rest = told.rest === "" ? [] : [{ type: "TOOL_CALL_ARGS", toolCallId, delta: told.rest }]
      return [...rest, { type: "TOOL_CALL_END", toolCallId }]
    }
    case "call.void":
      return [{ type: "TOOL_CALL_END", toolCallId: told.callId, metadata: { skein: { void: true } } }]
    case "asked": {
      const { call, questionId } = told
      return [custom("permission.asked", { questionId, toolCallId: call.callId, tool: call.name, input: call.input })]
    }
    case "answered": {
      const { call, questionId, verdict } = told
      return [custom("permission.answered", { questionId, toolCallId: call.callId, verdict })]
    }
    case "progress":
      return [custom("call.progress", { toolCallId: told.callId, text: told.text })]
    case "result": {
      const { callId: toolCallId, outcome, text: content } = told.message
      const messageId = idOf(`result-${told.seq}`)
      return [{ type: "TOOL_CALL_RESULT", messageId, toolCallId, content, role: "tool", metadata: { outcome } }]
    }
    case "run.ended": {
      const { detail, stopReason, usage } = told.end
      return failures.includes(stopReason)
        ? [{ type: "RUN_ERROR", message: detail ?? stopReason, code: stopReason }]
        : [{ type: "RUN_FINISHED", ...names, outcome: { type: "success" }, result: { stopReason, usage } }]
    }
    case "session.deleted":
      return [{ type: "RUN_ERROR", message: "The session was deleted", code: "deleted" }]
  }
}
