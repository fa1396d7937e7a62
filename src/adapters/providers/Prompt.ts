/**
 * Translates the view, which providers accept, into the AI SDK's terms.
 *
 * Guaranteed: files are sent only in kinds and sizes that all providers accept, and text files as text. The content says
 * what a file is, and which picture; the message's media type is only a hint. Any other file is only named: the model knows
 * about it, and the request does not fail for good.
 */
import type {
  LanguageModelV3FilePart,
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3TextPart,
  LanguageModelV3ToolResultPart,
  SharedV3ProviderOptions
} from "@ai-sdk/provider"
import { Effect, Encoding } from "effect"
import * as FileKind from "../../domain/FileKind.js"
import * as FileText from "../../domain/FileText.js"
import * as FileWeight from "../../domain/FileWeight.js"
import * as ImageHeader from "../../domain/ImageHeader.js"
import type { FilePart, ProviderMetadata } from "../../domain/Message.js"
import type { ModelFailed } from "../../domain/SkeinError.js"
import * as SafeText from "../../domain/SafeText.js"
import type { ViewCall, ViewFile, ViewItem, ViewReasoning, ViewResult, ViewText } from "../../domain/View.js"
import type { StepRequest } from "../../services/Model.js"
import * as Failure from "./Failure.js"
import { subject } from "./Vendor.js"
import type { Vendor } from "./Vendor.js"

/** Fails as `rejected` if a file's content cannot be read. */
export const make = (vendor: Vendor, request: StepRequest): Effect.Effect<LanguageModelV3Prompt, ModelFailed> =>
  Effect.forEach(request.view, (item) => messageOf(vendor, request, item)).pipe(
    Effect.map((messages) => vendor.finishPrompt([...systemOf(request), ...messages]))
  )

const systemOf = ({ system }: StepRequest): LanguageModelV3Prompt =>
  system === null || system.trim() === "" ? [] : [{ role: "system", content: system }]

const messageOf = (
  vendor: Vendor,
  request: StepRequest,
  item: ViewItem
): Effect.Effect<LanguageModelV3Message, ModelFailed> => {
  switch (item.role) {
    case "user":
      return Effect.map(
        Effect.forEach(item.parts, (part) => userPart(vendor, request, part)),
        (content) => ({ role: "user", content })
      )
    case "assistant":
      return Effect.succeed({ role: "assistant", content: item.parts.map((part) => assistantPart(vendor, part)) })
    case "tool":
      return Effect.map(
        Effect.forEach(item.results, (result) => toolResult(vendor, request, result)),
        (content) => ({ role: "tool", content })
      )
  }
}

/** A file with its bytes. */
interface SeenFile extends LanguageModelV3FilePart {
  readonly data: Uint8Array
  readonly filename: string
}

type UserPart = LanguageModelV3TextPart | SeenFile

const userPart = (
  vendor: Vendor,
  request: StepRequest,
  part: ViewText | ViewFile
): Effect.Effect<UserPart, ModelFailed> =>
  part.type === "text"
    ? Effect.succeed({ type: "text", text: part.text, ...optionsOf(vendor, part.providerMetadata) })
    : filePart(vendor, request, part)

const filePart = (vendor: Vendor, request: StepRequest, part: ViewFile): Effect.Effect<UserPart, ModelFailed> => {
  const kind = FileKind.of(part.mediaType)
  if (kind === "binary") return Effect.succeed(hidden(part, "attached"))
  return seenFile(request, part, kind).pipe(
    Effect.catchAll((error) =>
      error._tag === "AssetNotFound"
        ? Effect.succeed(note(`[The file ${titleOf(part)} was deleted.]`))
        : Effect.fail(Failure.make(subject(vendor), "rejected", error.message))
    )
  )
}

type ReadFailed = Effect.Effect.Error<ReturnType<StepRequest["file"]>>

/** Reads only the beginning of what may not be sent whole. */
const seenFile = (
  request: StepRequest,
  part: ViewFile,
  kind: keyof typeof sizeLimits
): Effect.Effect<UserPart, ReadFailed> => {
  if (part.size !== undefined && part.size > sizeLimits[kind]) return Effect.succeed(tooLarge(part, part.size))
  if (kind === "picture" || kind === "pdf") {
    return Effect.map(request.file(part.assetId), (data) => sentWhole(part, kind, data))
  }
  return Effect.flatMap(request.file(part.assetId, beginning), (head) => {
    const whole = wholeKindOf(head)
    if (whole !== null) {
      return head.length < beginning ? Effect.succeed(sentWhole(part, whole, head)) : seenFile(request, part, whole)
    }
    const text = FileText.beginning(head, FileWeight.textLength + 1, kind === "text")
    return Effect.succeed(text === null ? hidden(part, "attached") : textFile(part, text))
  })
}

/** Bytes of a file that are read to see what it is. They are enough for a text. */
const beginning = FileText.bytesOf(FileWeight.textLength + 1)

type WholeKind = "picture" | "pdf"

const wholeKindOf = (head: Uint8Array): WholeKind | null => {
  if (ImageHeader.typeOf(head) !== null) return "picture"
  return isPdf(head.subarray(0, 5)) ? "pdf" : null
}

const sentWhole = (part: FilePart, kind: WholeKind, data: Uint8Array): UserPart =>
  (wholeKindOf(data) ?? kind) === "picture" ? picture(part, data) : pdf(part, data)

const picture = (part: FilePart, data: Uint8Array): UserPart => {
  if (data.length > sizeLimits.picture) return tooLarge(part, data.length)
  const header = ImageHeader.read(data)
  if (header === null || header === "incomplete") return hidden(part, "attached and is not a readable picture")
  const { height, mediaType, width } = header
  const isShowable = [width, height].every((pixels) => pixels >= 1 && pixels <= mostPixels)
  return isShowable
    ? file(part, data, mediaType)
    : hidden(part, `attached and too large for you, ${width} x ${height} pixels`)
}

const pdf = (part: FilePart, data: Uint8Array): UserPart => {
  if (data.length > sizeLimits.pdf) return tooLarge(part, data.length)
  return isPdf(data) ? file(part, data, "application/pdf") : hidden(part, "attached and is not a PDF")
}

/** PDF readers accept a header anywhere in the first kibibyte. */
const isPdf = (data: Uint8Array): boolean => new TextDecoder("latin1").decode(data.subarray(0, 1_024)).includes("%PDF-")

const file = (part: FilePart, data: Uint8Array, mediaType: string): SeenFile => ({
  type: "file",
  data,
  mediaType,
  filename: part.name ?? part.assetId
})

const textFile = (part: FilePart, text: string): UserPart => {
  const cut =
    text.length > FileWeight.textLength ? `${SafeText.wellFormed(text.slice(0, FileWeight.textLength))}…` : text
  return note(`[The file ${titleOf(part)}:]\n${cut}`)
}

const note = (text: string): LanguageModelV3TextPart => ({ type: "text", text })

const hidden = (part: FilePart, how: string): LanguageModelV3TextPart =>
  note(`[The file ${titleOf(part)} is ${how}. You cannot see its content.]`)

const tooLarge = (part: FilePart, size: number): LanguageModelV3TextPart =>
  hidden(part, `attached and too large for you, ${size} bytes`)

const titleOf = ({ assetId, mediaType, name }: FilePart): string =>
  `${JSON.stringify(name ?? assetId)} of type ${mediaType}`

/** Most bytes of a file that is shown. An image may have five MiB in base64; of a text, the beginning is sent. */
const sizeLimits = {
  picture: (5 * 1024 * 1024 * 3) / 4,
  pdf: 20 * 1024 * 1024,
  text: Infinity,
  unknown: 20 * 1024 * 1024
}

/** Most pixels on a side of a picture; providers refuse larger ones. */
const mostPixels = 8_000

type AssistantContent = Extract<LanguageModelV3Message, { readonly role: "assistant" }>["content"][number]

const assistantPart = (vendor: Vendor, part: ViewText | ViewReasoning | ViewCall): AssistantContent => {
  const options = optionsOf(vendor, part.providerMetadata)
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, text: part.text, ...options }
    case "call":
      return { type: "tool-call", toolCallId: part.id, toolName: part.name, input: part.input, ...options }
  }
}

const toolResult = (
  vendor: Vendor,
  request: StepRequest,
  { files = [], id, isError, name, text }: ViewResult
): Effect.Effect<LanguageModelV3ToolResultPart, ModelFailed> =>
  Effect.map(
    Effect.forEach(files, (part) => filePart(vendor, request, part)),
    (shown) => ({
      type: "tool-result",
      toolCallId: id,
      toolName: name,
      output:
        shown.length === 0
          ? { type: isError ? "error-text" : "text", value: text }
          : { type: "content", value: [note(text), ...shown.map(resultContent)] }
    })
  )

type ResultContent = Extract<LanguageModelV3ToolResultPart["output"], { readonly type: "content" }>["value"][number]

const resultContent = (part: UserPart): ResultContent => {
  if (part.type === "text") return part
  const { data, filename, mediaType } = part
  const content = { data: Encoding.encodeBase64(data), mediaType }
  return ImageHeader.mediaTypes.has(mediaType)
    ? { type: "image-data", ...content }
    : { type: "file-data", ...content, filename }
}

const optionsOf = (
  vendor: Vendor,
  metadata: ProviderMetadata | undefined
): { readonly providerOptions?: SharedV3ProviderOptions } =>
  metadata === undefined ? {} : { providerOptions: vendor.partOptions(metadata) }
