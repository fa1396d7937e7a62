/**
 * What a server's results, prompts and resources become: a text for every model, files as assets of the session, structured
 * content as JSON.
 */
import { Effect, Either, Encoding } from "effect"
import * as ToolResult from "../../services/ToolResult.js"
import { McpRefused } from "./McpFailed.js"
import * as MediaType from "./MediaType.js"
import * as ResultForm from "./ResultForm.js"

/** The most files in one result. */
const mostFiles = 16

const mediaTypeForm = /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/

const mediaTypeOf = (given: string | undefined): string => {
  const type = MediaType.of(given)
  return mediaTypeForm.test(type) ? type : "application/octet-stream"
}

interface Part {
  readonly text: string | null
  readonly file: ToolResult.ResultFile | null
}

const ofText = (text: string): Part => ({ text, file: null })

const ofData = (name: string, mediaType: string, data: string): Part =>
  Either.match(Encoding.decodeBase64(data), {
    onLeft: () => ofText(`[${name}: not base64]`),
    onRight: (content) => ({ text: null, file: { name, mediaType, content } })
  })

/** The last name in a URI, for a file. */
const nameOf = (uri: string, otherwise: string): string =>
  (uri.split(/[?#]/)[0]?.split("/").at(-1) ?? "").replaceAll(/[^\w. -]/g, "_").slice(0, 128) || otherwise

const ofContents = ({ blob = "", mimeType, text, uri }: ResultForm.Resource, index: number): Part =>
  text === undefined ? ofData(nameOf(uri, `resource-${index + 1}`), mediaTypeOf(mimeType), blob) : ofText(text)

const partOf = (block: ResultForm.Block, index: number): Part => {
  switch (block.type) {
    case "text":
      return ofText(block.text)
    case "image":
    case "audio":
      return ofData(`${block.type}-${index + 1}`, mediaTypeOf(block.mimeType), block.data)
    case "resource_link":
      return ofText(`[resource ${block.name}: ${block.uri}]`)
    case "resource":
      return ofContents(block.resource, index)
  }
}

/** Texts, and files to be kept as assets. */
export interface Content {
  readonly text: string
  readonly files: ReadonlyArray<ToolResult.ResultFile>
}

const omitted = (count: number): ReadonlyArray<string> => {
  if (count === 0) return []
  const [parts, were] = count === 1 ? ["part that is", "was"] : ["parts that are", "were"]
  return [`[${count} ${parts} not of the protocol's form ${were} left out]`]
}

const joined = <A>(
  { blocks, leftOut }: ResultForm.Blocks<A>,
  read: (block: A, index: number) => Part,
  between: string
): Content => {
  const parts = blocks.map(read)
  const texts = parts.flatMap(({ text }) => (text === null ? [] : [text]))
  const files = parts.flatMap(({ file }) => (file === null ? [] : [file]))
  const left = files.length - mostFiles
  return {
    text: [...texts, ...(left > 0 ? [`[${left} more files]`] : []), ...omitted(leftOut)].join(between),
    files: files.slice(0, mostFiles)
  }
}

/** What a prompt says. */
export const ofPrompt = ({ messages }: ResultForm.Prompt): Content =>
  joined(ResultForm.messagesOf(messages), ({ content }, index) => partOf(content, index), "\n\n")

/** What a resource holds: its texts under their names. */
export const ofResource = ({ contents }: ResultForm.Contents): Content =>
  joined(
    ResultForm.resourcesOf(contents),
    (resource, index) => {
      const part = ofContents(resource, index)
      return part.text === null ? part : ofText(`<resource uri="${resource.uri}">\n${part.text}\n</resource>`)
    },
    "\n\n"
  )

/** A call's result, or what its server says is wrong. */
export const read = ({
  content,
  isError,
  structuredContent
}: ResultForm.Call): Effect.Effect<ToolResult.Result, McpRefused> => {
  const { files, text } = joined(ResultForm.blocksOf(content), partOf, "\n")
  if (isError === true) return Effect.fail(new McpRefused({ text: text === "" ? "it failed" : text }))
  const json = structuredContent ?? undefined
  return Effect.succeed(
    ToolResult.result({
      text: text === "" && json !== undefined ? JSON.stringify(json) : text,
      ...(json === undefined ? {} : { json }),
      ...(files.length === 0 ? {} : { files })
    })
  )
}
