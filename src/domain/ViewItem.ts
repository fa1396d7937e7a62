/**
 * The items of a view, and functions that inspect them. `View` says how they are made.
 */
import { Array as Arr, Predicate } from "effect"
import * as FileWeight from "./FileWeight.js"
import { type FilePart, isFile, type ProviderMetadata } from "./Message.js"
import * as SafeText from "./SafeText.js"

/** A text, as a model is shown it. */
export interface ViewText {
  readonly type: "text"
  /** Never blank. */
  readonly text: string
  readonly providerMetadata?: ProviderMetadata
}

export const textPart = (text: string): ViewText => ({ type: "text", text: SafeText.wellFormed(text) })

/** Always followed by a text or a call of the same item. */
export interface ViewReasoning {
  readonly type: "reasoning"
  readonly text: string
  readonly providerMetadata?: ProviderMetadata
}

/** A call, as a model is shown it. */
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

/** A file, as a model is shown it. */
export interface ViewFile extends FilePart {
  /** Bytes; absent when unknown. */
  readonly size?: number
}

/** `id` and `name` are those of its call. */
export interface ViewResult {
  readonly id: string
  readonly name: string
  /** Never blank. */
  readonly text: string
  /** The files that are shown after the text, for models that take them. At least one. */
  readonly files?: ReadonlyArray<ViewFile>
  readonly isError: boolean
}

/** The results of one batch are together, right after the assistant item that asked for them, in its order. */
export type ViewItem =
  | { readonly role: "user"; readonly parts: ReadonlyArray<ViewText | ViewFile> }
  | { readonly role: "assistant"; readonly parts: ReadonlyArray<ViewText | ViewReasoning | ViewCall> }
  | { readonly role: "tool"; readonly results: ReadonlyArray<ViewResult> }

/** A transcript as one model is shown it. */
export type View = ReadonlyArray<ViewItem>

/** The estimate that `maxCharacters` is compared with: UTF-16 units of all texts, names and inputs; files by `FileWeight`. */
export const characters = (view: View): number =>
  files(view).reduce((sum, file) => sum + FileWeight.of(file), weigh(view))

/** Whether the view has any reasoning. */
export const hasReasoning = (view: View): boolean =>
  view.some((item) => item.role === "assistant" && item.parts.some(({ type }) => type === "reasoning"))

/** The files that the view shows. */
export const files = (view: View): ReadonlyArray<ViewFile> => view.flatMap(filesOf)

const filesOf = (item: ViewItem): ReadonlyArray<ViewFile> => {
  if (item.role === "tool") return item.results.flatMap(({ files = [] }) => files)
  return item.role === "user" ? item.parts.filter(isFile) : []
}

const weigh = (value: unknown): number => {
  if (Predicate.isString(value)) return value.length
  if (Arr.isArray(value)) return value.reduce((sum: number, inner) => sum + weigh(inner), 0)
  if (!Predicate.isReadonlyRecord(value)) return 1
  return Object.entries(value).reduce((sum, [key, inner]) => sum + key.length + weigh(inner), 0)
}
