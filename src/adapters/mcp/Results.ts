/**
 * What a server's results, prompts and resources become: a text for every model, files as assets of the session, structured
 * content as JSON.
 */
import type { CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult } from "@modelcontextprotocol/client"
import { Effect, Either, Encoding } from "effect"
import * as ToolResult from "../../services/ToolResult.js"
import { McpRefused } from "./McpFailed.js"

/** The most files in one result. */
const mostFiles = 16

const mediaTypeForm = /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/

const mediaTypeOf = (given: string | undefined): string => {
  const type = (given ?? "").split(";")[0]?.trim().toLowerCase() ?? ""
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

const partOf = (block: ContentBlock, index: number): Part => {
  switch (block.type) {
    case "text":
      return ofText(block.text)
    case "image":
    case "audio":
      return ofData(`${block.type}-${index + 1}`, mediaTypeOf(block.mimeType), block.data)
    case "resource_link":
      return ofText(`[resource ${block.name}: ${block.uri}]`)
    case "resource": {
      const { resource } = block
      return "text" in resource
        ? ofText(resource.text)
        : ofData(nameOf(resource.uri, `resource-${index + 1}`), mediaTypeOf(resource.mimeType), resource.blob)
    }
  }
}

/** Texts, and files to be kept as assets. */
export interface Content {
  readonly text: string
  readonly files: ReadonlyArray<ToolResult.ResultFile>
}

const joined = (parts: ReadonlyArray<Part>, between: string): Content => {
  const texts = parts.flatMap(({ text }) => (text === null ? [] : [text]))
  const files = parts.flatMap(({ file }) => (file === null ? [] : [file]))
  const left = files.length - mostFiles
  return {
    text: [...texts, ...(left > 0 ? [`[${left} more files]`] : [])].join(between),
    files: files.slice(0, mostFiles)
  }
}

/** What a prompt says. */
export const ofPrompt = ({ messages }: GetPromptResult): Content =>
  joined(
    messages.map(({ content }, index) => partOf(content, index)),
    "\n\n"
  )

/** What a resource holds: its texts under their names. */
export const ofResource = ({ contents }: ReadResourceResult): Content =>
  joined(
    contents.map((resource, index) => {
      const part = partOf({ type: "resource", resource }, index)
      return part.text === null ? part : ofText(`<resource uri="${resource.uri}">\n${part.text}\n</resource>`)
    }),
    "\n\n"
  )

/** A call's result, or what its server says is wrong. */
export const read = (result: CallToolResult): Effect.Effect<ToolResult.Result, McpRefused> => {
  const { files, text } = joined(result.content.map(partOf), "\n")
  if (result.isError === true) return Effect.fail(new McpRefused({ text: text === "" ? "it failed" : text }))
  const json = result.structuredContent
  return Effect.succeed(
    ToolResult.result({
      text: text === "" && json !== undefined ? JSON.stringify(json) : text,
      ...(json === undefined ? {} : { json }),
      ...(files.length === 0 ? {} : { files })
    })
  )
}
