/**
 * The transcript's turns as a view shows them, piece by piece. A piece is a message and the results right after it; how
 * it is shown depends on the view's options and on nothing before it. `GrowingView` puts pieces together.
 */
import { Array as Arr } from "effect"
import * as Batch from "./Batch.js"
import * as CallInput from "./CallInput.js"
import * as ContextWindow from "./ContextWindow.js"
import {
  type AssistantMessage,
  type CallPart,
  callsOf,
  type Entry,
  type FilePart,
  filesOf,
  isCall,
  isFile,
  isReasoning,
  isText,
  type ProviderMetadata,
  type ResultMessage,
  type UserMessage
} from "./Message.js"
import * as PortableName from "./PortableName.js"
import * as ResultText from "./ResultText.js"
import * as SafeText from "./SafeText.js"
import type { Seq } from "./Session.js"
import * as ViewFile from "./ViewFile.js"
import {
  characters,
  type View,
  type ViewCall,
  type ViewItem,
  type ViewReasoning,
  type ViewResult,
  type ViewText,
  textPart
} from "./ViewItem.js"

export interface Options extends ViewFile.Options {
  /** The provider and the model that are asked. */
  readonly provider: string
  readonly model: string
  /** Reasoning up to this place is left out; null for none. */
  readonly reasoningAfter?: Seq | null
  /** Most characters that the view should have, as `View.characters` counts them; null for no limit. */
  readonly maxCharacters: number | null
  /** Whether earlier turns that this provider refused are left out. Defaults to false. */
  readonly leavesOutRefused?: boolean
  /** Pieces that were made with the same options. They are not made again, and new pieces are added. */
  readonly known?: Known
}

/** Pieces by their first entry, with the number of results that they have. */
export type Known = WeakMap<Entry, { readonly results: number; readonly piece: Piece }>

export interface Piece extends ContextWindow.Piece {
  /** The calls have their provider's ids, or ours: an earlier call of the view may have the same id. */
  readonly items: View
  /** The calls that the items show, in order. */
  readonly calls: ReadonlyArray<CallPart>
}

export interface Turn extends ContextWindow.EarlierTurn {
  readonly pieces: ReadonlyArray<Piece>
}

export const opening = "[The conversation begins here.]"
const goOn = "Continue."
const brokeOff = "[The step was cut off here. The content above is what had arrived.]"
const unreadable = "[A message without any content that can be shown.]"
const noOutput = "[no output]"
const onlyFiles = "[no text]"
export const leftOutHere = (count: number): string => `[Messages left out here to fit the context: ${count}.]`
const refusedTurn = "[A message and its answer are left out here, because the answer was refused.]"

/** Room kept for the notes that are added once a view is cut. */
const roomForNotes = 200

/** Returns the limit that the sizes of a view's pieces are compared with; null for none. */
export const limitOf = ({ maxCharacters }: Options): number | null =>
  maxCharacters === null ? null : maxCharacters - roomForNotes

/** Characters that a shortened result keeps. */
const shortResult = 800

/**
 * Returns a turn of these pieces. `answer` is its last assistant message; it is also null for the last turn of a
 * transcript, which is never left out, even if it was refused.
 */
export const turn = (
  { seq }: Entry,
  all: ReadonlyArray<Piece>,
  answer: AssistantMessage | null,
  options: Options
): Turn => {
  const pieces = isLeftOut(answer, options) ? [piece([userNote(refusedTurn)], [])] : all
  return { first: seq, pieces, shortSize: ContextWindow.shortSizeOf(pieces, limitOf(options) ?? Infinity, noteSize) }
}

/** The pieces of entries that belong to one turn. */
export const piecesOf = (entries: ReadonlyArray<Entry>, options: Options): ReadonlyArray<Piece> =>
  exchanges(entries).map((exchange) => pieceOf(exchange, options))

const pieceOf = (exchange: Exchange, options: Options): Piece => {
  const results = exchange.results.length
  const known = options.known?.get(exchange.first)
  if (known?.results === results) return known.piece
  const piece = render(exchange, options)
  options.known?.set(exchange.first, { results, piece })
  return piece
}

const piece = (items: View, calls: ReadonlyArray<CallPart>, isUsers = false): Piece => ({
  items,
  calls,
  isUsers,
  size: characters(withReplies(items)),
  savings: items.flatMap(resultsOf).map(savingOf)
})

const sizeOf = (result: ViewResult): number => characters([{ role: "tool", results: [result] }])

/** By how much a result could be shortened. */
const savingOf = (result: ViewResult): number =>
  result.files === undefined
    ? result.text.length - shorten(result.text).length
    : sizeOf(result) - sizeOf(shortened(result))

/** Whether a turn with this answer is left out. */
export const isLeftOut = (answer: AssistantMessage | null, { leavesOutRefused = false, provider }: Options): boolean =>
  leavesOutRefused && answer?.finish === "content-filter" && answer.model.provider === provider

/** Adds replies: providers refuse a view that ends with the assistant, and some refuse two assistant items in a row. */
export const withReplies = (items: View): View =>
  items.flatMap((item, index) =>
    item.role === "assistant" && (items[index + 1]?.role ?? "assistant") === "assistant"
      ? [item, userNote(goOn)]
      : [item]
  )

type AssistantPart = ViewText | ViewReasoning | ViewCall

/** Drops reasoning, and the metadata of texts: item ids that a vendor keeps there may name the reasoning before. */
export const withoutReasoning = (item: ViewItem): ViewItem =>
  item.role === "assistant"
    ? {
        role: item.role,
        parts: item.parts.flatMap((part): ReadonlyArray<AssistantPart> => {
          if (part.type === "reasoning") return []
          return part.type === "text" ? [textPart(part.text)] : [part]
        })
      }
    : item

/** A message and the results right after it; the message is null for results that follow none. */
interface Exchange {
  readonly message: UserMessage | AssistantMessage | null
  readonly first: Entry
  readonly results: ReadonlyArray<ResultMessage>
}

const exchanges = (entries: ReadonlyArray<Entry>): ReadonlyArray<Exchange> => {
  const exchanges: Array<Exchange & { results: Array<ResultMessage> }> = []
  for (const entry of entries) {
    const { message } = entry
    const last = exchanges.at(-1)
    if (message.role === "other") continue
    if (message.role !== "tool") exchanges.push({ message, first: entry, results: [] })
    else if (last === undefined) exchanges.push({ message: null, first: entry, results: [message] })
    else last.results.push(message)
  }
  return exchanges
}

const render = ({ first: { seq }, message, results }: Exchange, options: Options): Piece => {
  if (message === null) return piece(results.map(strayItem), [])
  if (message.role === "user") return piece([userItem(message, seq, options), ...results.map(strayItem)], [], true)
  const parts = assistantParts(message, seq, options)
  const calls = message.partial ? [] : callsOf(message)
  const stored = new Map(results.toReversed().map((result) => [result.callId, result]))
  const answers = calls.map((call) => stored.get(call.callId) ?? Batch.closing({ ...call, state: "pending" }))
  const answered = new Set(answers)
  return piece(
    [
      ...(parts.length === 0 ? [] : [{ role: "assistant" as const, parts }]),
      ...(answers.length === 0 ? [] : [toolItem(parts.filter(isViewCall), answers, seq, options)]),
      ...(message.partial && parts.length > 0 ? [userNote(brokeOff)] : []),
      ...results.filter((result) => !answered.has(result)).map(strayItem)
    ],
    calls
  )
}

/** The id that a call gets unless an earlier call has it. */
const idOf = ({ callId, providerCallId }: CallPart): string =>
  providerCallId !== undefined && PortableName.is(providerCallId) ? providerCallId : callId

/**
 * Gives each call its provider's id, or ours if an earlier call has that id or some provider does not accept it. Call
 * the returned function with pieces in their order: no id is given out twice.
 */
export const uniqueIds = () => {
  const given = new Set<string>()
  const isFree = (id: string) => PortableName.is(id) && !given.has(id)
  const give = (call: CallPart): string => {
    let id = idOf(call)
    if (!isFree(id)) id = call.callId
    for (let count = 2; !isFree(id); count++) id = `${call.callId.slice(0, 50)}_${count}`
    given.add(id)
    return id
  }
  return ({ calls, items }: Piece): View => {
    const ids = calls.map(give)
    return calls.every((call, index) => ids[index] === idOf(call)) ? items : items.map((item) => withIds(item, ids))
  }
}

/** Puts the ids of a piece's calls into its one assistant item or its one tool item. */
const withIds = (item: ViewItem, ids: ReadonlyArray<string>): ViewItem => {
  let next = 0
  const named = <A extends { readonly id: string }>(one: A): A => ({ ...one, id: ids[next++] ?? one.id })
  if (item.role === "assistant") {
    return { role: item.role, parts: item.parts.map((part) => (part.type === "call" ? named(part) : part)) }
  }
  return item.role === "tool" ? { role: item.role, results: item.results.map(named) } : item
}

const isBlank = (text: string): boolean => text.trim() === ""
const isViewCall = (part: AssistantPart): part is ViewCall => part.type === "call"

export const userNote = (note: string): ViewItem => ({ role: "user", parts: [textPart(note)] })

/** At most the size of the note in the place of messages that are left out. */
export const noteSize = characters([userNote(leftOutHere(Number.MAX_SAFE_INTEGER))])

const userItem = (message: UserMessage, seq: Seq, options: Options): ViewItem => {
  const parts = message.parts.flatMap((part): ReadonlyArray<ViewText | FilePart> => {
    if (isText(part)) return isBlank(part.text) ? [] : [textPart(part.text)]
    return isFile(part) ? [ViewFile.part(part, seq, options)] : []
  })
  return parts.length === 0 ? userNote(unreadable) : { role: "user", parts }
}

/** A result that belongs to no call before it cannot be sent as a result; its text is sent all the same. */
const strayItem = (result: ResultMessage): ViewItem => {
  const heading = `[The result of a call of ${PortableName.of(result.name)} that is not in this conversation:]`
  return userNote([heading, result.text, ...filesOf(result).map(ViewFile.onlyNamed)].join("\n"))
}

/** Reasoning and metadata of a step that broke off are not complete, so a partial message is sent as plain text. */
const assistantParts = (
  message: AssistantMessage,
  seq: Seq,
  { model, provider, reasoningAfter = null }: Options
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

const toolItem = (
  calls: ReadonlyArray<ViewCall>,
  answers: ReadonlyArray<ResultMessage>,
  seq: Seq,
  options: Options
): ViewItem => ({
  role: "tool",
  results: Arr.zipWith(calls, answers, ({ id, name }, answer) => resultOf({ id, name }, answer, seq, options))
})

const resultOf = (
  call: Pick<ViewCall, "id" | "name">,
  answer: ResultMessage,
  seq: Seq,
  options: Options
): ViewResult => {
  const isError = answer.outcome !== "success"
  const shown = answer.parts === undefined ? [] : ViewFile.ofResult(answer, seq, options)
  const files = shown.filter(isFile)
  const own = isBlank(answer.text) ? (shown.length === 0 ? [noOutput] : []) : [SafeText.wellFormed(answer.text)]
  const texts = [...own, ...shown.filter(isText).map(({ text }) => text)]
  return {
    ...call,
    text: texts.length === 0 ? onlyFiles : texts.join("\n"),
    ...(files.length === 0 ? {} : { files }),
    isError
  }
}

const resultsOf = (item: ViewItem): ReadonlyArray<ViewResult> => (item.role === "tool" ? item.results : [])

const shorten = (text: string): string => {
  const short = ResultText.bound(text, shortResult).text
  return short.length < text.length ? short : text
}

/** The result, shortened if that makes it shorter; its files are only named. */
export const shortened = ({ files = [], ...result }: ViewResult): ViewResult => ({
  ...result,
  text: [shorten(result.text), ...files.map(ViewFile.noLongerShown)].join("\n")
})
