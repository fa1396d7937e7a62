/**
 * A model step while it is being written: the parts that have arrived, in the order in which they began. Pure; what a
 * watcher sees of a running step and the message that is stored at its end both come from here.
 */
import type { AssistantMessage, CallId, FinishReason, ProviderMetadata } from "./Message.js"
import * as SafeText from "./SafeText.js"
import type { Usage } from "./Usage.js"
import { unknown } from "./Usage.js"

interface Block {
  readonly type: "text" | "reasoning"
  readonly id: string
  readonly text: string
  readonly providerMetadata: ProviderMetadata | undefined
}

export interface DraftCall {
  readonly type: "call"
  readonly index: number
  readonly name: string
  readonly input: string
  /** Whether the model has finished writing it. */
  readonly closed: boolean
  readonly providerCallId: string | undefined
  readonly providerMetadata: ProviderMetadata | undefined
}

export interface StepDraft {
  readonly blocks: ReadonlyArray<Block | DraftCall>
  /** Whether a call was written again after it was closed: one of the two would be lost. */
  readonly hasDoubledCall: boolean
  readonly finish: { readonly reason: FinishReason; readonly usage: Usage } | null
}

/**
 * What a step's stream is made of. Texts and reasonings are told apart by `id`, calls by `index` (0, 1, 2 … in the
 * order in which the model began them). The first `call.delta` of an index begins a call, its text may be empty. `call`
 * closes the call and carries its whole raw input. `finish` comes last, exactly once.
 */
export type Part =
  | {
      readonly type: "text" | "reasoning"
      readonly id: string
      readonly delta: string
      readonly providerMetadata?: ProviderMetadata
    }
  | { readonly type: "call.delta"; readonly index: number; readonly name: string; readonly delta: string }
  | {
      readonly type: "call"
      readonly index: number
      readonly name: string
      readonly input: string
      readonly providerCallId: string
      readonly providerMetadata?: ProviderMetadata
    }
  | { readonly type: "finish"; readonly reason: FinishReason; readonly usage: Usage }

export const empty: StepDraft = { blocks: [], hasDoubledCall: false, finish: null }

const isCall = (block: Block | DraftCall): block is DraftCall => block.type === "call"

const replaceOrAppend = <B>(blocks: ReadonlyArray<B>, place: number, block: B): ReadonlyArray<B> =>
  place === -1 ? [...blocks, block] : blocks.with(place, block)

/** Adds one part. */
export const add = (draft: StepDraft, part: Part): StepDraft => {
  switch (part.type) {
    case "text":
    case "reasoning": {
      const found = draft.blocks.findLastIndex((block) => block.type === part.type && block.id === part.id)
      // Text goes to the end, also when a provider goes back to an earlier block: what a watcher has seen stays as it is.
      const isCovered = part.delta !== "" && found !== draft.blocks.findLastIndex((block) => block.type === part.type)
      const place = isCovered ? -1 : found
      const before = draft.blocks[place]
      const text = before === undefined || isCall(before) ? part.delta : before.text + part.delta
      const metadata = part.providerMetadata ?? before?.providerMetadata
      return {
        ...draft,
        blocks: replaceOrAppend(draft.blocks, place, { type: part.type, id: part.id, text, providerMetadata: metadata })
      }
    }
    case "call.delta":
    case "call": {
      const place = draft.blocks.findIndex((block) => isCall(block) && block.index === part.index)
      const before = draft.blocks[place]
      if (before !== undefined && isCall(before) && before.closed) return { ...draft, hasDoubledCall: true }
      const written = before !== undefined && isCall(before) ? before.input : ""
      const call: DraftCall =
        part.type === "call"
          ? {
              type: "call",
              index: part.index,
              name: part.name,
              input: part.input,
              closed: true,
              providerCallId: part.providerCallId,
              providerMetadata: part.providerMetadata
            }
          : {
              type: "call",
              index: part.index,
              name: part.name,
              input: written + part.delta,
              closed: false,
              providerCallId: undefined,
              providerMetadata: undefined
            }
      return { ...draft, blocks: replaceOrAppend(draft.blocks, place, call) }
    }
    case "finish":
      return { ...draft, finish: { reason: part.reason, usage: part.usage } }
  }
}

const joined = (draft: StepDraft, type: "text" | "reasoning"): string =>
  draft.blocks.map((block) => (!isCall(block) && block.type === type ? block.text : "")).join("")

/** The text so far. */
export const text = (draft: StepDraft): string => joined(draft, "text")

/** The reasoning so far. */
export const reasoning = (draft: StepDraft): string => joined(draft, "reasoning")

/** The calls begun so far, in order. */
export const calls = (draft: StepDraft): ReadonlyArray<DraftCall> =>
  draft.blocks.filter(isCall).sort((a, b) => a.index - b.index)

/** Why a step cannot be stored whole, as `ModelFailed` says it. */
export interface Flaw {
  readonly reason: "cut" | "malformed"
  readonly detail: string
}

const cut = (detail: string): Flaw => ({ reason: "cut", detail })

/** Whether the model was stopped and did not stop by itself: what it wrote last may be cut anywhere. */
const isStopped = (reason: FinishReason): boolean => reason === "length" || reason === "content-filter"

/** What is wrong with a step whose stream has ended; null for nothing. Nothing that has begun is lost without one. */
export const flaw = (draft: StepDraft): Flaw | null => {
  if (draft.hasDoubledCall) return { reason: "malformed", detail: "two calls have the same index" }
  if (draft.finish === null) return cut("the stream ended without a finish")
  const begun = calls(draft)
  if (begun.some(({ closed }) => !closed) && !isStopped(draft.finish.reason)) return cut("a call was not finished")
  return draft.finish.reason === "tool-calls" && begun.length === 0
    ? cut("the calls that it ends with are missing")
    : null
}

type MessagePart = AssistantMessage["parts"][number]

const metadataOf = (block: { readonly providerMetadata: ProviderMetadata | undefined }) =>
  block.providerMetadata === undefined ? {} : { providerMetadata: block.providerMetadata }

/**
 * The message of a draft. A finished one holds its calls, each with one of `callIds` in call order; an unfinished one is
 * partial and holds none. Null when there is nothing to keep.
 */
export const toMessage = (
  draft: StepDraft,
  model: { readonly provider: string; readonly model: string },
  callIds: ReadonlyArray<CallId>
): AssistantMessage | null => {
  const order = calls(draft)
  const parts = draft.blocks.flatMap((block): ReadonlyArray<MessagePart> => {
    if (!isCall(block)) {
      return block.text === "" && block.providerMetadata === undefined
        ? []
        : [{ type: block.type, text: block.text, ...metadataOf(block) }]
    }
    const callId = callIds[order.indexOf(block)]
    if (draft.finish === null || callId === undefined) return []
    return [
      {
        type: "call",
        callId,
        name: SafeText.wellFormed(block.name),
        input: block.input,
        ...(block.providerCallId === undefined ? {} : { providerCallId: block.providerCallId }),
        ...metadataOf(block)
      }
    ]
  })
  const from = { provider: model.provider, model: model.model }
  if (draft.finish !== null) {
    return { role: "assistant", parts, model: from, finish: draft.finish.reason, usage: draft.finish.usage }
  }
  return parts.some((part) => part.type === "text" || part.type === "reasoning")
    ? { role: "assistant", parts, model: from, finish: "error", usage: unknown, partial: true }
    : null
}
