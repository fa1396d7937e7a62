/**
 * A model step while it is being written: the parts that have arrived, in the order in which they began. Pure; what a
 * watcher sees of a running step and the message that is stored at its end both come from here.
 *
 * What a watcher sees only grows at its end. It matches the stored message, provided that texts which a model writes at
 * the same time say so (`waitsFor`).
 */
import { Either, Schema } from "effect"
import * as GrowingText from "./GrowingText.js"
import { type AssistantMessage, type CallId, FinishReason, type ProviderMetadata } from "./Message.js"
import * as SafeText from "./SafeText.js"
import { type Prices, withCost } from "./Prices.js"
import { unknown, Usage } from "./Usage.js"

interface Block {
  readonly type: "text" | "reasoning"
  readonly id: string
  readonly text: string
  /** How much of the text watchers may see, in UTF-16 units. */
  readonly shown: number
  readonly waitsFor: string | undefined
  readonly hasEnded: boolean
  readonly providerMetadata: ProviderMetadata | undefined
}

export interface DraftCall {
  readonly type: "call"
  readonly index: number
  readonly name: string
  readonly input: GrowingText.GrowingText
  /** Whether the model has finished writing it. */
  readonly closed: boolean
  readonly providerCallId: string | undefined
  readonly providerMetadata: ProviderMetadata | undefined
}

export interface StepDraft {
  readonly blocks: ReadonlyArray<Block | DraftCall>
  /** What watchers may see. */
  readonly shown: { readonly text: GrowingText.GrowingText; readonly reasoning: GrowingText.GrowingText }
  /** No call with this index or a higher one has begun. */
  readonly begun: number
  /** Whether a call was written again after it was closed: one of the two would be lost. */
  readonly hasDoubledCall: boolean
  readonly finish: { readonly reason: FinishReason; readonly usage: Usage } | null
}

/**
 * What a step's stream is made of. Texts and reasonings are told apart by `id`, calls by `index` (0, 1, 2 … in the
 * order in which the model began them). The first `call.delta` of an index begins a call; its text may be empty. `call`
 * closes the call and carries its whole raw input. `finish` comes last, exactly once.
 */
export type Part =
  | {
      readonly type: "text" | "reasoning"
      readonly id: string
      readonly delta: string
      readonly providerMetadata?: ProviderMetadata
      /** The block of the same type that this block continues, by id. This block is placed right after it. */
      readonly continues?: string
      /** The block of the same type that began before and has not ended, by id. Watchers see this block after it. */
      readonly waitsFor?: string
      /** Nothing more of this block follows. Needed only if another block waits for it. */
      readonly hasEnded?: true
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

export const empty: StepDraft = {
  blocks: [],
  shown: { text: GrowingText.empty, reasoning: GrowingText.empty },
  begun: 0,
  hasDoubledCall: false,
  finish: null
}

const isCall = (block: Block | DraftCall): block is DraftCall => block.type === "call"

type Blocks = StepDraft["blocks"]
type Kind = Block["type"]

/** Returns the index of the block with this type and id; -1 if there is none. Usually the last one is being written. */
const placeOf = (blocks: Blocks, type: Kind, id: string): number =>
  blocks.findLastIndex((block) => block.type === type && block.id === id)

type Writing = Extract<Part, { readonly type: Kind }>

/** Returns the index for the block that a part begins. */
const newPlaceOf = (blocks: Blocks, { continues, type }: Writing): number => {
  const previous = continues === undefined ? -1 : placeOf(blocks, type, continues)
  return previous === -1 ? blocks.length : previous + 1
}

const isWaiting = (blocks: Blocks, { type, waitsFor }: Block): boolean => {
  const other = waitsFor === undefined ? undefined : blocks[placeOf(blocks, type, waitsFor)]
  return other !== undefined && !isCall(other) && (!other.hasEnded || isWaiting(blocks, other))
}

/** Adds to a text or a reasoning, and shows what was added unless the block has to wait. */
const write = (draft: StepDraft, part: Writing): StepDraft => {
  const { blocks } = draft
  const place = placeOf(blocks, part.type, part.id)
  const found = blocks[place]
  const before = found === undefined || isCall(found) ? undefined : found
  const written = before?.text ?? ""
  const block: Block = {
    type: part.type,
    id: part.id,
    text: written + part.delta,
    shown: before?.shown ?? 0,
    waitsFor: before?.waitsFor ?? part.waitsFor,
    hasEnded: before?.hasEnded === true || part.hasEnded === true,
    providerMetadata: part.providerMetadata ?? before?.providerMetadata
  }
  const put = (block: Block): Blocks =>
    before === undefined ? blocks.toSpliced(newPlaceOf(blocks, part), 0, block) : blocks.with(place, block)
  // Other blocks may have waited for this one's end, and it may have waited itself.
  if (part.hasEnded === true || draft.finish !== null || block.shown < written.length) {
    return show({ ...draft, blocks: put(block) })
  }
  if (part.delta === "" || isWaiting(blocks, block)) return { ...draft, blocks: put(block) }
  return {
    ...draft,
    blocks: put({ ...block, shown: block.text.length }),
    shown: { ...draft.shown, [part.type]: GrowingText.add(draft.shown[part.type], part.delta) }
  }
}

/** Shows everything that does not have to wait. */
const show = (draft: StepDraft): StepDraft => {
  const shown = { ...draft.shown }
  const blocks = draft.blocks.map((block) => {
    if (isCall(block) || block.shown === block.text.length) return block
    if (draft.finish === null && isWaiting(draft.blocks, block)) return block
    shown[block.type] = GrowingText.add(shown[block.type], block.text.slice(block.shown))
    return { ...block, shown: block.text.length }
  })
  return { ...draft, blocks, shown }
}

/** Adds one part. */
export const add = (draft: StepDraft, part: Part): StepDraft => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return write(draft, part)
    case "call.delta":
    case "call": {
      const { begun } = draft
      const place =
        part.index >= begun ? -1 : draft.blocks.findLastIndex((block) => isCall(block) && block.index === part.index)
      const before = draft.blocks[place]
      if (before !== undefined && isCall(before) && before.closed) return { ...draft, hasDoubledCall: true }
      const written = before !== undefined && isCall(before) ? before.input : GrowingText.empty
      const call: DraftCall =
        part.type === "call"
          ? {
              type: "call",
              index: part.index,
              name: part.name,
              input: GrowingText.add(GrowingText.empty, part.input),
              closed: true,
              providerCallId: part.providerCallId,
              providerMetadata: part.providerMetadata
            }
          : {
              type: "call",
              index: part.index,
              name: part.name,
              input: GrowingText.add(written, part.delta),
              closed: false,
              providerCallId: undefined,
              providerMetadata: undefined
            }
      return place === -1
        ? { ...draft, begun: Math.max(begun, part.index + 1), blocks: [...draft.blocks, call] }
        : { ...draft, blocks: draft.blocks.with(place, call) }
    }
    case "finish":
      return show({ ...draft, finish: { reason: part.reason, usage: part.usage } })
  }
}

/** The text so far. */
export const text = ({ shown }: StepDraft): string => shown.text.whole

/** The reasoning so far. */
export const reasoning = ({ shown }: StepDraft): string => shown.reasoning.whole

/** The calls begun so far, in order. */
export const calls = (draft: StepDraft): ReadonlyArray<DraftCall> =>
  draft.blocks.filter(isCall).sort((a, b) => a.index - b.index)

/** A draft whose step is over. */
export interface FinishedDraft extends StepDraft {
  readonly finish: NonNullable<StepDraft["finish"]>
}

/** Why a step cannot be stored whole, in the terms of `ModelFailed`. */
export interface Flaw {
  readonly reason: "cut" | "malformed"
  readonly detail: string
}

const cut = (detail: string) => Either.left<Flaw>({ reason: "cut", detail })
const malformed = (detail: string) => Either.left<Flaw>({ reason: "malformed", detail })

/** Whether the model was stopped and did not stop by itself: what it wrote last may be cut anywhere. */
const isStopped = (reason: FinishReason): boolean => reason === "length" || reason === "content-filter"

const isUsage = Schema.is(Usage)
const isReason = Schema.is(FinishReason)
const reasons = new Intl.ListFormat("en", { type: "disjunction" }).format(FinishReason.literals)

/** Returns a draft whose stream has ended, or what is wrong with it. Nothing that has begun is lost without a flaw. */
export const finished = (draft: StepDraft): Either.Either<FinishedDraft, Flaw> => {
  const { finish } = draft
  if (draft.hasDoubledCall) return malformed("two calls have the same index")
  if (finish === null) return cut("the stream ended without a finish")
  // Both are stored with the message, and a message that does not decode is lost to every later step.
  if (!isUsage(finish.usage)) return malformed("a token count is not a whole number from 0")
  if (!isReason(finish.reason)) return malformed(`the finish reason is not ${reasons}`)
  const begun = calls(draft)
  if (begun.some(({ closed }) => !closed) && !isStopped(finish.reason)) return cut("a call was not finished")
  return finish.reason === "tool-calls" && begun.length === 0
    ? cut("the calls that it ends with are missing")
    : Either.right({ ...draft, finish })
}

/** Returns the draft with what it cost by its model's prices, if they were stated. */
export const costing = (draft: FinishedDraft, prices: Prices | null): FinishedDraft =>
  prices === null ? draft : { ...draft, finish: { ...draft.finish, usage: withCost(draft.finish.usage, prices) } }

type ModelName = AssistantMessage["model"]
type MessagePart = AssistantMessage["parts"][number]

const metadataOf = (block: { readonly providerMetadata: ProviderMetadata | undefined }) =>
  block.providerMetadata === undefined ? {} : { providerMetadata: block.providerMetadata }

const partsOf = (draft: StepDraft, callIds: ReadonlyMap<number, CallId>): ReadonlyArray<MessagePart> =>
  draft.blocks.flatMap((block): ReadonlyArray<MessagePart> => {
    if (!isCall(block)) {
      return block.text === "" && block.providerMetadata === undefined
        ? []
        : [{ type: block.type, text: block.text, ...metadataOf(block) }]
    }
    const callId = callIds.get(block.index)
    if (callId === undefined) return []
    return [
      {
        type: "call",
        callId,
        name: SafeText.storable(block.name),
        input: block.input.whole,
        ...(block.providerCallId === undefined ? {} : { providerCallId: block.providerCallId }),
        ...metadataOf(block)
      }
    ]
  })

/** Returns the message of a finished draft, with its calls, each with the id for its index. Its answer may be empty. */
export const toMessage = (
  draft: FinishedDraft,
  model: ModelName,
  callIds: ReadonlyMap<number, CallId>
): AssistantMessage => ({
  role: "assistant",
  parts: partsOf(draft, callIds),
  model: { provider: model.provider, model: model.model },
  finish: draft.finish.reason,
  usage: draft.finish.usage
})

/** Returns the message of a draft that broke off, without its calls. Null when there is nothing to keep. */
export const toPartialMessage = (draft: StepDraft, { model, provider }: ModelName): AssistantMessage | null => {
  const parts = partsOf(draft, new Map())
  return parts.length === 0
    ? null
    : { role: "assistant", parts, model: { provider, model }, finish: "error", usage: unknown, partial: true }
}
