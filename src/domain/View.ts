/**
 * What a model is sent: a pure fold over the transcript.
 *
 * Whatever transcript is given, the view is one that a provider accepts: it begins with a user item, other items stand
 * between the assistant's and after them, each call has its one result right after it and in order, call ids are
 * unique, tool names and texts hold nothing that makes a request fail. What a transcript lacks for that is added;
 * nothing is taken away to repair it. Texts in [brackets] are Skein's own words to the model.
 *
 * Reasoning goes back only as far as it can be right:
 * - to the model that wrote it;
 * - while what came before it is as it was, so not after earlier results were shortened or turns left out;
 * - unless the provider refused it (`Options.reasoningAfter`).
 * What a vendor keeps with a text goes with the reasoning, what it keeps with a call goes to all models of the vendor.
 *
 * Views are stable, so that providers can cache their beginning: an entry added to the transcript leaves the items
 * before it as they were, unless the context is full (see `ContextWindow`) or the last batch was still open.
 */
import { Array as Arr, Predicate } from "effect"
import type { AssetId } from "./Asset.js"
import * as Batch from "./Batch.js"
import * as CallInput from "./CallInput.js"
import * as ContextWindow from "./ContextWindow.js"
import {
  type AssistantMessage,
  type CallPart,
  callsOf,
  type Entry,
  type FilePart,
  isCall,
  isFile,
  isText,
  type ProviderMetadata,
  type ReasoningPart,
  type ResultMessage,
  type UserMessage
} from "./Message.js"
import * as PortableName from "./PortableName.js"
import * as ResultText from "./ResultText.js"
import type { Seq } from "./Session.js"
import * as SafeText from "./SafeText.js"
import * as Transcript from "./Transcript.js"

export interface ViewText {
  readonly type: "text"
  /** Never blank. */
  readonly text: string
  readonly providerMetadata?: ProviderMetadata
}

/** Always followed by a text or a call of the same item. */
export interface ViewReasoning {
  readonly type: "reasoning"
  readonly text: string
  readonly providerMetadata?: ProviderMetadata
}

export interface ViewCall {
  readonly type: "call"
  /** Unique in the view, 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly id: string
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string
  /** A JSON object. */
  readonly input: Readonly<Record<string, unknown>>
  readonly providerMetadata?: ProviderMetadata
}

/** `id` and `name` are those of its call. */
export interface ViewResult {
  readonly id: string
  readonly name: string
  /** Never blank. */
  readonly text: string
  readonly isError: boolean
}

/** One batch's results stand together, right after the assistant item that asked for them, in its order. */
export type ViewItem =
  | { readonly role: "user"; readonly parts: ReadonlyArray<ViewText | FilePart> }
  | { readonly role: "assistant"; readonly parts: ReadonlyArray<ViewText | ViewReasoning | ViewCall> }
  | { readonly role: "tool"; readonly results: ReadonlyArray<ViewResult> }

export type View = ReadonlyArray<ViewItem>

export interface Options {
  /** Who is asked. */
  readonly provider: string
  readonly model: string
  /** Reasoning up to this place is left out; null for none. */
  readonly reasoningAfter?: Seq | null
  /** Files up to this place are named, not shown; null for none. */
  readonly filesAfter?: Seq | null
  /** Most characters that the view should have, as `characters` counts them; null for no limit. */
  readonly maxCharacters: number | null
  /** Whether earlier turns that this provider refused are left out. Defaults to false. */
  readonly leavesOutRefused?: boolean
  /** Assets that messages name and that are gone. */
  readonly missingAssets?: ReadonlySet<AssetId>
}

const opening = "[The conversation begins here.]"
const goOn = "Continue."
const brokeOff = "[The step broke off here. What stands above is what had arrived.]"
const unreadable = "[A message without any content that can be shown.]"
const noOutput = "[no output]"
const refusedTurn = "[A message and its answer are left out here, as the answer was refused.]"

/** Characters that a shortened result keeps. */
const shortResult = 800

/** Room kept for the notes that are added once a view is cut. */
const roomForNotes = 200

/** What a file is counted as, in characters. */
const fileCharacters = 4_000

/**
 * The estimate that `maxCharacters` is compared with: UTF-16 units of all texts, names and inputs; 4,000 a file.
 *
 * @internal
 */
export const characters = (view: View): number => weigh(view) + fileCharacters * files(view).length

/**
 * The view of a transcript. When it is larger than `maxCharacters`, results of earlier turns are shortened, then earlier
 * turns left out, then results of the last turn shortened. The last turn itself stays, so a view may still be larger.
 */
export const make = (entries: ReadonlyArray<Entry>, options: Options): View => {
  const turns = Transcript.turns(entries)
  const render = renderer(options)
  const rendered = turns.map((turn, at) =>
    at < turns.length - 1 && isLeftOut(turn, options) ? [[userNote(refusedTurn)]] : exchanges(turn).map(render)
  )
  const cut = decideCut(rendered, options.maxCharacters)
  const left = turns.slice(0, cut.turns).flat().length
  const pieces = rendered.flat().map((items, at) => (at < cut.pieces ? items.map(withoutReasoning) : items))
  const items = shortenOldest(pieces.flat(), cut.results).slice(rendered.slice(0, cut.turns).flat(2).length)
  return [
    ...(left > 0 ? [userNote(`[Earlier messages left out to fit the context: ${left}.]`)] : []),
    ...(left === 0 && items[0]?.role !== "user" ? [userNote(opening)] : []),
    ...withReplies(items)
  ]
}

const isLeftOut = (turn: ReadonlyArray<Entry>, { leavesOutRefused = false, provider }: Options): boolean => {
  const last = turn.findLast(({ message }) => message.role === "assistant")?.message
  return (
    leavesOutRefused &&
    last?.role === "assistant" &&
    last.finish === "content-filter" &&
    last.model.provider === provider
  )
}

/** Providers refuse a view that ends with the assistant, and some refuse two assistant items in a row. */
const withReplies = (items: View): View =>
  items.flatMap((item, index) =>
    item.role === "assistant" && (items[index + 1]?.role ?? "assistant") === "assistant"
      ? [item, userNote(goOn)]
      : [item]
  )

type AssistantPart = ViewText | ViewReasoning | ViewCall

/** Item ids that a vendor keeps with a text may name the reasoning before it. */
const withoutReasoning = (item: ViewItem): ViewItem =>
  item.role === "assistant"
    ? {
        role: item.role,
        parts: item.parts.flatMap((part): ReadonlyArray<AssistantPart> => {
          if (part.type === "reasoning") return []
          return part.type === "text" ? [textPart(part.text)] : [part]
        })
      }
    : item

/** Whether any reasoning goes back. */
export const hasReasoning = (view: View): boolean =>
  view.some((item) => item.role === "assistant" && item.parts.some(isReasoning))

/** A message and the results right after it; a result that follows no message stands alone. */
interface Exchange {
  readonly message: UserMessage | AssistantMessage | null
  /** The place of its first entry. */
  readonly seq: Seq
  readonly results: ReadonlyArray<ResultMessage>
}

const exchanges = (entries: ReadonlyArray<Entry>): ReadonlyArray<Exchange> => {
  const exchanges: Array<Exchange & { results: Array<ResultMessage> }> = []
  for (const { message, seq } of entries) {
    const last = exchanges.at(-1)
    if (message.role === "other") continue
    if (message.role !== "tool") exchanges.push({ message, seq, results: [] })
    else if (last === undefined) exchanges.push({ message: null, seq, results: [message] })
    else last.results.push(message)
  }
  return exchanges
}

/** Renders exchanges, to be called in their order: an id once given out is not given out again. */
const renderer = (options: Options) => {
  const idOf = uniqueIds()
  return ({ message, results, seq }: Exchange): ReadonlyArray<ViewItem> => {
    if (message === null) return results.map(strayItem)
    if (message.role === "user") return [userItem(message, seq, options), ...results.map(strayItem)]
    const parts = assistantParts(message, seq, options, idOf)
    const calls = message.partial ? [] : callsOf(message)
    const stored = new Map(results.toReversed().map((result) => [result.callId, result]))
    const answers = calls.map((call) => stored.get(call.callId) ?? Batch.closing({ ...call, state: "pending" }))
    const answered = new Set(answers)
    return [
      ...(parts.length === 0 ? [] : [{ role: "assistant" as const, parts }]),
      ...(answers.length === 0 ? [] : [toolItem(parts.filter(isViewCall), answers)]),
      ...(message.partial && parts.length > 0 ? [userNote(brokeOff)] : []),
      ...results.filter((result) => !answered.has(result)).map(strayItem)
    ]
  }
}

/** Gives a call its provider's id, unless an earlier call has it or some provider does not take it; then ours. */
const uniqueIds = () => {
  const given = new Set<string>()
  return ({ callId, providerCallId }: CallPart): string => {
    const isFree = (id: string) => PortableName.is(id) && !given.has(id)
    let id = providerCallId !== undefined && isFree(providerCallId) ? providerCallId : callId
    for (let count = 2; !isFree(id); count++) id = `${callId.slice(0, 50)}_${count}`
    given.add(id)
    return id
  }
}

const isBlank = (text: string): boolean => text.trim() === ""
const isViewCall = (part: AssistantPart): part is ViewCall => part.type === "call"
const isReasoning = (part: { readonly type: string }): part is ReasoningPart => part.type === "reasoning"

const textPart = (text: string): ViewText => ({ type: "text", text: SafeText.wellFormed(text) })

const userNote = (note: string): ViewItem => ({ role: "user", parts: [textPart(note)] })

const userItem = (message: UserMessage, seq: Seq, { filesAfter = null, missingAssets }: Options): ViewItem => {
  const parts = message.parts.flatMap((part): ReadonlyArray<ViewText | FilePart> => {
    if (isText(part)) return isBlank(part.text) ? [] : [textPart(part.text)]
    if (!isFile(part)) return []
    if (missingAssets?.has(part.assetId)) return [textPart(`[The file ${nameOf(part)} was deleted.]`)]
    if (filesAfter !== null && seq <= filesAfter) return [textPart(`[The file ${nameOf(part)} is not shown any more.]`)]
    return [part.name === undefined ? part : { ...part, name: SafeText.wellFormed(part.name) }]
  })
  return parts.length === 0 ? userNote(unreadable) : { role: "user", parts }
}

const nameOf = ({ mediaType, name }: FilePart): string =>
  name === undefined ? `of type ${mediaType}` : `${JSON.stringify(name)} of type ${mediaType}`

/** A result that belongs to no call before it cannot be sent as one; what it says is sent all the same. */
const strayItem = ({ name, text }: ResultMessage): ViewItem =>
  userNote(`[The result of a call of ${PortableName.of(name)} that is not in this conversation:]\n${text}`)

/** Reasoning and metadata of a step that broke off are not complete, so a partial message is sent as mere text. */
const assistantParts = (
  message: AssistantMessage,
  seq: Seq,
  { model, provider, reasoningAfter = null }: Options,
  idOf: (call: CallPart) => string
): ReadonlyArray<AssistantPart> => {
  const isOfVendor = !message.partial && message.model.provider === provider
  const isOwn = isOfVendor && message.model.model === model && (reasoningAfter === null || seq > reasoningAfter)
  const metadata = (part: { readonly providerMetadata?: ProviderMetadata }, goesBack: boolean) =>
    goesBack && part.providerMetadata !== undefined ? { providerMetadata: part.providerMetadata } : {}
  const parts = message.parts.flatMap((part): ReadonlyArray<AssistantPart> => {
    if (isText(part)) return isBlank(part.text) ? [] : [{ ...textPart(part.text), ...metadata(part, isOwn) }]
    if (isReasoning(part)) {
      return isOwn ? [{ type: "reasoning", text: SafeText.wellFormed(part.text), ...metadata(part, true) }] : []
    }
    if (!isCall(part) || message.partial) return []
    const call = { name: PortableName.of(part.name), input: CallInput.toObject(part.input) }
    return [{ type: "call", id: idOf(part), ...call, ...metadata(part, isOfVendor) }]
  })
  return parts.slice(0, parts.findLastIndex((part) => part.type !== "reasoning") + 1)
}

const toolItem = (calls: ReadonlyArray<ViewCall>, answers: ReadonlyArray<ResultMessage>): ViewItem => ({
  role: "tool",
  results: Arr.zipWith(calls, answers, ({ id, name }, { outcome, text }) => ({
    id,
    name,
    text: isBlank(text) ? noOutput : SafeText.wellFormed(text),
    isError: outcome !== "success"
  }))
})

const resultsOf = (item: ViewItem): ReadonlyArray<ViewResult> => (item.role === "tool" ? item.results : [])

/** The files that the view shows. */
export const files = (view: View): ReadonlyArray<FilePart> => view.flatMap(filesOf)

const filesOf = (item: ViewItem): ReadonlyArray<FilePart> => (item.role === "user" ? item.parts.filter(isFile) : [])

/** Each turn is given by its exchanges. */
const decideCut = (turns: ReadonlyArray<ReadonlyArray<View>>, maxCharacters: number | null): ContextWindow.Cut =>
  maxCharacters === null
    ? ContextWindow.whole
    : ContextWindow.fit(
        turns.map((turn) => turn.map(measure)),
        maxCharacters - roomForNotes
      )

const measure = (items: View): ContextWindow.Piece => ({
  size: characters(withReplies(items)),
  savings: items.flatMap(resultsOf).map(({ text }) => text.length - shorten(text).length)
})

const shorten = (text: string): string => {
  const short = ResultText.bound(text, shortResult).text
  return short.length < text.length ? short : text
}

/** The items with the first `count` of all their results shortened. */
const shortenOldest = (items: View, count: number): View => {
  let seen = 0
  const shortenOld = (result: ViewResult): ViewResult =>
    seen++ < count ? { ...result, text: shorten(result.text) } : result
  return items.map((item) => (item.role === "tool" ? { ...item, results: item.results.map(shortenOld) } : item))
}

const weigh = (value: unknown): number => {
  if (Predicate.isString(value)) return value.length
  if (Arr.isArray(value)) return value.reduce((sum: number, inner) => sum + weigh(inner), 0)
  if (!Predicate.isReadonlyRecord(value)) return 1
  return Object.entries(value).reduce((sum, [key, inner]) => sum + key.length + weigh(inner), 0)
}
