/**
 * What MCP servers add to a message: a slash command such as `/server__prompt words` stands for the content of the
 * prompt, and resources are attached. Servers are asked before a session is created or changed.
 */
import { Effect, Stream } from "effect"
import type { Session } from "../../domain/Session.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as CommandText from "../mcp/CommandText.js"
import type { Content } from "../mcp/Mcp.js"
import type { Configuration } from "./Configuration.js"
import { WrongUsage } from "./Failure.js"
import * as McpServers from "./McpServers.js"
import * as Texts from "./texts/Run.js"

const resourceForm = /^mcp:([^:]+):(.+)$/su

interface Given {
  readonly text: string
  /** `mcp:SERVER:URI`; null for nothing. */
  readonly attach: string | null
}

const commandOf = (text: string, { mcpServers }: Configuration) => {
  const command = CommandText.read(text)
  if (command === null) return null
  return Object.keys(mcpServers).some((server) => CommandText.isOf(server, command.name)) ? command : null
}

/** The message with what servers add to it, for a session in this folder. */
export const read = Effect.fn("Additions.read")(function* (
  configuration: Configuration,
  { attach, text }: Given,
  workdir: string | null
) {
  const command = commandOf(text, configuration)
  const plain: Content = { text, files: [] }
  if (command === null && attach === null) return plain
  const [, server = "", uri = ""] = attach === null ? [] : (resourceForm.exec(attach) ?? [])
  if (attach !== null && uri === "") return yield* new WrongUsage({ detail: Texts.attachForm })
  const mcp = yield* McpServers.open(configuration)
  const said = command === null ? plain : yield* mcp.expand(workdir, command.name, command.typed)
  if (attach === null) return said
  const attached = yield* mcp.read(workdir, server, uri)
  const content: Content = {
    text: [said.text, attached.text].filter((text) => text !== "").join("\n\n"),
    files: [...said.files, ...attached.files]
  }
  return content
}, Effect.scoped)

/** Saves the files of a message with its session. */
export const save = ({ id: sessionId }: Session, { files }: Content) =>
  Effect.flatMap(Gateway, (gateway) =>
    Effect.forEach(files, ({ content, mediaType, name }) =>
      Effect.map(gateway.saveAsset({ sessionId, name, mediaType, content: Stream.make(content) }), ({ id }) => ({
        assetId: id,
        mediaType,
        name
      }))
    )
  )
