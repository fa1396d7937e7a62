/**
 * An editor's prompt as a message: its texts in order, embedded texts in tags with their URI, and links in Markdown.
 * Images and binary resources are saved with the session.
 */
import type { ContentBlock } from "@agentclientprotocol/sdk"
import { Effect, Encoding, Stream } from "effect"
import type { SessionId } from "../../domain/Session.js"
import type { Service } from "../../services/gateway/Gateway.js"
import type { Content } from "../mcp/Mcp.js"
import { invalidParams } from "./Refusals.js"

interface Binary {
  readonly data: string
  readonly mediaType: string
}

const embedded = (uri: string, text: string): string => `<resource uri="${uri}">\n${text}\n</resource>`

const textOf = (block: ContentBlock): string => {
  if (block.type === "text") return block.text
  if (block.type === "resource_link") return `[${block.name}](${block.uri})`
  return block.type === "resource" && "text" in block.resource ? embedded(block.resource.uri, block.resource.text) : ""
}

const binaryOf = (block: ContentBlock): ReadonlyArray<Binary> => {
  if (block.type === "image") return [{ data: block.data, mediaType: block.mimeType }]
  return block.type === "resource" && "blob" in block.resource
    ? [{ data: block.resource.blob, mediaType: block.resource.mimeType ?? "application/octet-stream" }]
    : []
}

/** The message, with its files saved. */
export const read = (gateway: Service, sessionId: SessionId, prompt: ReadonlyArray<ContentBlock>) =>
  Effect.gen(function* () {
    if (prompt.some(({ type }) => type === "audio")) return yield* Effect.fail(invalidParams("audio is not supported"))
    const files = yield* Effect.forEach(prompt.flatMap(binaryOf), ({ data, mediaType }) =>
      Effect.gen(function* () {
        const bytes = yield* Effect.mapError(Encoding.decodeBase64(data), () => invalidParams("data: must be base64"))
        const { id } = yield* gateway.saveAsset({ sessionId, mediaType, content: Stream.make(bytes) })
        return { assetId: id, mediaType }
      })
    )
    const text = prompt
      .map(textOf)
      .filter((text) => text !== "")
      .join("\n")
    return { text, files }
  })

/** A server's prompt as a message, with its files saved. */
export const save = (gateway: Service, sessionId: SessionId, { files, text }: Content) =>
  Effect.map(
    Effect.forEach(files, ({ content, mediaType, name }) =>
      Effect.map(gateway.saveAsset({ sessionId, mediaType, name, content: Stream.make(content) }), ({ id }) => ({
        assetId: id,
        mediaType,
        name
      }))
    ),
    (files) => ({ text, files })
  )
