/**
 * Turns the stream parts of an AI SDK model into the parts of a step. A pure state machine.
 *
 * Guaranteed:
 * - Ids are unique within the step, even if the SDK reuses them.
 * - Texts and reasonings that are written at the same time stay whole, in the order in which they began.
 * - Every call that begins is returned. Calls are numbered in the order in which they began, even with equal or empty ids.
 * - A call's raw input is passed on unchanged.
 * - `providerMetadata` of a part is everything known about it so far, so the last one counts.
 * - A step finishes only with a reason, and only if the SDK lost none of its calls.
 *
 * A finish with a reason outweighs an earlier error, unless part of the answer was lost.
 *
 * Left out: calls that the provider ran itself, sources and generated files. Two calls that are open at the same time
 * with the same id and name are closed in the order in which they began.
 */
import { InvalidResponseDataError, TypeValidationError } from "@ai-sdk/provider"
import type { LanguageModelV3FinishReason, LanguageModelV3StreamPart, LanguageModelV3Usage } from "@ai-sdk/provider"
import { Predicate } from "effect"
import type { FinishReason, ProviderMetadata } from "../../domain/Message.js"
import type { Usage } from "../../domain/Usage.js"
import type { Part } from "../../services/Model.js"
import type { CallAccount } from "./CallAccount.js"
import { isUndecodable } from "./Failure.js"

interface OpenPart {
  readonly id: string
  readonly metadata: ProviderMetadata | null
  /** Where it belongs among the others (see `Part`). */
  readonly place: Pick<Writing, "continues" | "waitsFor">
}

interface Call {
  /** The provider's id, which other calls may have too. */
  readonly id: string
  readonly name: string
  readonly isOpen: boolean
}

/**
 * How far the step is.
 * - `cut`: it ended without a reason.
 * - `broken`: the provider reported `error`.
 * - `malformed`: it cannot be read, for the reason in `detail`.
 */
export type Status =
  | { readonly _tag: "reading" }
  | { readonly _tag: "finished" }
  | { readonly _tag: "cut" }
  | { readonly _tag: "broken"; readonly error: unknown }
  | { readonly _tag: "malformed"; readonly detail: string }

export interface Reading {
  readonly status: Status
  /** Whether the provider sent anything of the protocol. */
  readonly received: boolean
  /** Texts and reasonings that have begun and not ended, by kind and the SDK's id. */
  readonly open: ReadonlyMap<string, OpenPart>
  /** How many texts and reasonings have begun. */
  readonly begun: number
  /** The ids of the texts and reasonings that others wait for. */
  readonly awaited: ReadonlySet<string>
  /** The id of the newest part of each item that has several (`Dialect.itemOf`). */
  readonly items: ReadonlyMap<string, string>
  /** In the order in which they began. */
  readonly calls: ReadonlyArray<Call>
  /** The calls counted in the frames; null for a protocol whose SDK loses none. */
  readonly account: CallAccount | null
  /** Length of the inputs of all closed calls, in UTF-16 units. */
  readonly inputCharacters: number
  /** The last error that the provider reported. */
  readonly error: { readonly value: unknown } | null
}

/** Nothing has been read. */
export const start = (account: CallAccount | null): Reading => ({
  status: { _tag: "reading" },
  received: false,
  open: new Map(),
  begun: 0,
  awaited: new Set(),
  items: new Map(),
  calls: [],
  account,
  inputCharacters: 0,
  error: null
})

/** How a vendor's answers differ from others. */
export interface Dialect {
  /** Whether a frame that does not decode may be ignored. */
  readonly mayIgnore: (frame: unknown) => boolean
  readonly finishReason: (reason: LanguageModelV3FinishReason) => FinishReason
  /** Keys of metadata whose values may come in pieces, such as a signature. */
  readonly pieces: ReadonlySet<string>
  /** The item of a reasoning with this id, which other reasonings may be parts of too; null for none. */
  readonly itemOf: (id: string) => string | null
}

type Writing = Extract<Part, { readonly type: Kind }>
type Next = readonly [Reading, ReadonlyArray<Part>]

const nothing = (reading: Reading): Next => [reading, []]

/** Reads one part of the SDK. */
export const next = (before: Reading, part: LanguageModelV3StreamPart, dialect: Dialect): Next => {
  const reading = before.received || isMadeUp(part) ? before : { ...before, received: true }
  switch (part.type) {
    case "text-start":
    case "reasoning-start":
      return write(begin(reading, dialect, kindOf(part.type), part.id), dialect, { ...part, delta: "" })
    case "text-delta":
    case "reasoning-delta":
      return write(reading, dialect, part)
    case "text-end":
    case "reasoning-end": {
      const [written, parts] = write(reading, dialect, { ...part, delta: "" })
      return close(written, kindOf(part.type), part.id, parts)
    }
    case "tool-input-start":
      return part.providerExecuted === true ? nothing(reading) : beginCall(reading, part.id, part.toolName)
    case "tool-input-delta":
      return [reading, callDelta(reading, part.id, part.delta)]
    case "tool-call": {
      if (part.providerExecuted === true) return nothing(reading)
      const { input, toolCallId: providerCallId, toolName: name } = part
      const [closed, index] = closeCall(reading, providerCallId, name, input)
      return [closed, [{ type: "call", index, name, input, providerCallId, ...withMetadata(part.providerMetadata) }]]
    }
    case "raw":
      return nothing(reading.account === null ? reading : { ...reading, account: reading.account.see(part.rawValue) })
    case "error":
      return nothing(isAllowed(part.error, dialect) ? reading : { ...reading, error: { value: part.error } })
    case "finish":
      return finish(reading, dialect.finishReason(part.finishReason), part)
    default:
      return nothing(reading)
  }
}

/** Whether the SDK may send the part without the provider. */
const isMadeUp = ({ type }: LanguageModelV3StreamPart): boolean =>
  type === "stream-start" || type === "error" || type === "finish"

/** Reads the end of the stream. */
export const end = (reading: Reading): Reading =>
  reading.status._tag === "reading" ? { ...reading, status: unfinished(reading) } : reading

const unfinished = (reading: Reading): Status =>
  reading.error === null ? { _tag: "cut" } : { _tag: "broken", error: reading.error.value }

/** The SDK also reports a stream without a finish as an error; `finish` detects that itself. */
const isAllowed = (error: unknown, { mayIgnore }: Dialect): boolean =>
  (InvalidResponseDataError.isInstance(error) && error.data === undefined) ||
  (TypeValidationError.isInstance(error) && mayIgnore(error.value))

type FinishPart = Extract<LanguageModelV3StreamPart, { readonly type: "finish" }>

const finish = (reading: Reading, reason: FinishReason, { finishReason, usage }: FinishPart): Next => {
  const { raw, unified } = finishReason
  const isReasonless = raw === undefined && (unified === "other" || unified === "error")
  const isLost = reading.error !== null && isUndecodable(reading.error.value)
  if (isReasonless || isLost) return nothing({ ...reading, status: unfinished(reading) })
  if (unified === "error") {
    const error = reading.error === null ? "the provider reported a failure" : reading.error.value
    return nothing({ ...reading, status: { _tag: "broken", error } })
  }
  const lost = reading.account?.missing({ calls: reading.calls.length, characters: reading.inputCharacters }) ?? null
  if (lost !== null) return nothing({ ...reading, status: { _tag: "malformed", detail: lost } })
  return [{ ...reading, status: { _tag: "finished" } }, [{ type: "finish", reason, usage: usageOf(usage) }]]
}

type Kind = "text" | "reasoning"

const kindOf = (type: `${Kind}-${string}`): Kind => (type.startsWith("text") ? "text" : "reasoning")

const begin = (reading: Reading, { itemOf }: Dialect, kind: Kind, sdkId: string): Reading => {
  const id = `${reading.begun}`
  const item = kind === "reasoning" ? itemOf(sdkId) : null
  const continues = item === null ? undefined : reading.items.get(item)
  const waitsFor = [...reading.open].findLast(([key]) => key.startsWith(`${kind}:`) && key !== `${kind}:${sdkId}`)?.[1]
    .id
  const place = {
    ...(continues === undefined ? {} : { continues }),
    ...(waitsFor === undefined ? {} : { waitsFor })
  }
  const open = new Map(reading.open)
  open.delete(`${kind}:${sdkId}`)
  return {
    ...reading,
    begun: reading.begun + 1,
    open: open.set(`${kind}:${sdkId}`, { id, metadata: null, place }),
    awaited: waitsFor === undefined ? reading.awaited : new Set(reading.awaited).add(waitsFor),
    items: item === null ? reading.items : new Map(reading.items).set(item, id)
  }
}

const close = (reading: Reading, type: Kind, sdkId: string, parts: ReadonlyArray<Part>): Next => {
  const key = `${type}:${sdkId}`
  const id = reading.open.get(key)?.id
  const open = new Map(reading.open)
  open.delete(key)
  const isAwaited = id !== undefined && reading.awaited.has(id)
  return [{ ...reading, open }, isAwaited ? [...parts, { type, id, delta: "", hasEnded: true }] : parts]
}

interface WrittenPart {
  readonly type: `${Kind}-${string}`
  readonly id: string
  readonly delta: string
  readonly providerMetadata?: ProviderMetadata
}

const write = (before: Reading, dialect: Dialect, { delta, id, providerMetadata, type }: WrittenPart): Next => {
  const kind = kindOf(type)
  const key = `${kind}:${id}`
  const reading = before.open.has(key) ? before : begin(before, dialect, kind, id)
  const open = reading.open.get(key)
  if (open === undefined) return nothing(reading)
  const part = { type: kind, id: open.id, delta, ...open.place }
  const known = merge(open.metadata, providerMetadata, dialect.pieces)
  const isNews = delta !== "" || type.endsWith("-start")
  if (known === open.metadata) return [reading, isNews ? [part] : []]
  return [
    { ...reading, open: new Map(reading.open).set(key, { ...open, metadata: known }) },
    [{ ...part, ...withMetadata(known) }]
  ]
}

/** Returns the same value if `more` adds nothing. */
const merge = (
  known: ProviderMetadata | null,
  more: ProviderMetadata | undefined,
  pieces: Dialect["pieces"]
): ProviderMetadata | null => {
  if (more === undefined) return known
  const merged = { ...known }
  for (const [vendor, value] of Object.entries(more)) {
    const old = merged[vendor]
    merged[vendor] =
      Predicate.isRecord(old) && Predicate.isRecord(value) ? { ...old, ...joined(old, value, pieces) } : value
  }
  return JSON.stringify(merged) === JSON.stringify(known) ? known : merged
}

/** The values of `more`. A piece is appended to the known value, unless it repeats that value. */
const joined = (
  old: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>>,
  pieces: Dialect["pieces"]
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(more).map(([key, value]) => {
      const before = old[key]
      const follows =
        pieces.has(key) && Predicate.isString(before) && Predicate.isString(value) && !value.startsWith(before)
      return [key, follows ? before + value : value]
    })
  )

const withMetadata = (
  metadata: ProviderMetadata | null | undefined
): { readonly providerMetadata?: ProviderMetadata } =>
  metadata === null || metadata === undefined ? {} : { providerMetadata: metadata }

const beginCall = (reading: Reading, id: string, name: string): Next => [
  { ...reading, calls: [...reading.calls, { id, name, isOpen: true }] },
  [{ type: "call.delta", index: reading.calls.length, name, delta: "" }]
]

/** The open calls of an id, by number. */
const openCalls = (reading: Reading, id: string): ReadonlyArray<number> =>
  reading.calls.flatMap((call, index) => (call.isOpen && call.id === id ? [index] : []))

/** Closes the call with this id and name. A call that has not begun begins and is closed at once. */
const closeCall = (reading: Reading, id: string, name: string, input: string): readonly [Reading, number] => {
  const open = openCalls(reading, id)
  const [only, another] = open
  const named = open.find((index) => reading.calls[index]?.name === name)
  const index = named ?? (another === undefined ? only : undefined) ?? reading.calls.length
  const closed = { id, name, isOpen: false }
  const calls = index < reading.calls.length ? reading.calls.with(index, closed) : [...reading.calls, closed]
  return [{ ...reading, calls, inputCharacters: reading.inputCharacters + input.length }, index]
}

/** Returns nothing while two open calls have the id: their inputs are reported when they are closed. */
const callDelta = (reading: Reading, id: string, delta: string): ReadonlyArray<Part> => {
  const [index = -1, another] = openCalls(reading, id)
  const call = reading.calls[index]
  return call === undefined || another !== undefined || delta === ""
    ? []
    : [{ type: "call.delta", index, name: call.name, delta }]
}

const usageOf = ({ inputTokens, outputTokens }: LanguageModelV3Usage): Usage => {
  const cacheWriteTokens = count(inputTokens.cacheWrite)
  return {
    inputTokens: count(inputTokens.total),
    outputTokens: count(outputTokens.total),
    reasoningTokens: count(outputTokens.reasoning),
    cachedInputTokens: count(inputTokens.cacheRead),
    ...(cacheWriteTokens === null ? {} : { cacheWriteTokens })
  }
}

const count = (tokens: number | undefined): number | null =>
  tokens !== undefined && Number.isInteger(tokens) && tokens >= 0 ? tokens : null
