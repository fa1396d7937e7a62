/**
 * A run as chunks of the AI SDK's UI message stream. Pure. The message's id is the run's id, so a stream that begins
 * again replaces what the first one said. Tools are dynamic, and run here: clients must not run them.
 */
import type { AnyVerdict } from "../../../domain/Permission.js"
import type { StopReason } from "../../../domain/Run.js"
import type { OfType } from "../../../domain/SessionEvent.js"
import * as ResultContent from "./ResultContent.js"
import type { Told } from "./RunTelling.js"

/** A chunk of the protocol. */
export interface UiChunk {
  readonly type: string
  readonly [field: string]: unknown
}

/** Fields of every part of a tool. */
const ofTool = { dynamic: true, providerExecuted: true }

const failures: ReadonlyArray<StopReason> = ["failed", "crashed", "lease-lost"]

const finishReasonOf = (reason: StopReason): string => {
  if (failures.includes(reason)) return "error"
  switch (reason) {
    case "completed":
      return "stop"
    case "output-limit":
      return "length"
    case "refused":
      return "content-filter"
    default:
      return "other"
  }
}

/** A client reads no further after an error, so the error comes after everything that the client should know. */
const ofEnd = ({ detail, stopReason, usage }: OfType<"run.ended">): ReadonlyArray<UiChunk> => [
  { type: "message-metadata", messageMetadata: { stopReason, usage } },
  ...(failures.includes(stopReason) ? [{ type: "error", errorText: detail ?? stopReason }] : []),
  ...(stopReason === "cancelled" ? [{ type: "abort", reason: stopReason }] : []),
  { type: "finish", finishReason: finishReasonOf(stopReason) }
]

const isAllowed = (verdict: AnyVerdict): boolean => verdict !== "deny" && verdict !== "other"

const ofCall = ({
  callId,
  input,
  name
}: {
  readonly callId: string
  readonly input: string
  readonly name: string
}) => ({
  toolCallId: callId,
  toolName: name,
  input: ResultContent.inputOf(input)
})

const ofResult = (
  { message, wasAsked }: Extract<Told, { readonly type: "result" }>,
  urlOf: ResultContent.UrlOf
): UiChunk => {
  const about = { toolCallId: message.callId, ...ofTool, toolMetadata: ResultContent.aboutOf(message, urlOf) }
  if (message.outcome === "success") {
    return { type: "tool-output-available", output: ResultContent.valueOf(message), ...about }
  }
  return message.outcome === "denied" && wasAsked
    ? { type: "tool-output-denied", toolCallId: message.callId }
    : { type: "tool-output-error", errorText: message.text, ...about }
}

/** Returns the chunks for something told about a run. */
export const of = (told: Told, urlOf: ResultContent.UrlOf): ReadonlyArray<UiChunk> => {
  switch (told.type) {
    case "run.began":
      return []
    case "step.began":
      return [{ type: "start-step" }]
    case "step.ended":
      return [{ type: "finish-step" }]
    case "part.began":
      return [{ type: `${told.kind}-start`, id: told.id }]
    case "part.grew":
      return [{ type: `${told.kind}-delta`, id: told.id, delta: told.text }]
    case "part.ended":
      return [
        {
          type: `${told.kind}-end`,
          id: told.id,
          ...(told.isVoid ? { providerMetadata: { skein: { void: true } } } : {})
        }
      ]
    case "call.began":
      return [{ type: "tool-input-start", toolCallId: told.callId, toolName: told.name, ...ofTool }]
    case "call.grew":
      return [{ type: "tool-input-delta", toolCallId: told.callId, inputTextDelta: told.text }]
    case "call.read":
      return [{ type: "tool-input-available", ...ofCall(told.call), ...ofTool }]
    case "call.void":
      return [
        {
          type: "tool-input-error",
          ...ofCall({ callId: told.callId, name: told.name, input: "" }),
          ...ofTool,
          errorText: "The step was cut off before this call was made"
        }
      ]
    case "asked":
      return [{ type: "tool-approval-request", approvalId: told.questionId, toolCallId: told.call.callId }]
    case "answered":
      // The protocol has no chunk for an answer: a call whose input is available no longer asks for approval.
      return isAllowed(told.verdict) ? [{ type: "tool-input-available", ...ofCall(told.call), ...ofTool }] : []
    case "progress":
      return [
        {
          type: "tool-output-available",
          toolCallId: told.callId,
          output: told.text,
          preliminary: true,
          ...ofTool
        }
      ]
    case "result":
      return [ofResult(told, urlOf)]
    case "run.ended":
      return ofEnd(told.end)
    case "session.deleted":
      return [{ type: "error", errorText: "The session was deleted" }]
  }
}
