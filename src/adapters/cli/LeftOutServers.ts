/** Says which MCP servers, and what of them, cannot be used: on the screen, and to who else wants to know. */
import { Effect } from "effect"
import type * as Mcp from "../mcp/Mcp.js"
import type { Configuration } from "./Configuration.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Mcp.js"

export type OnLeftOut = NonNullable<Mcp.Options["onLeftOut"]>

/** What is said of something that is left out, and what it is about: a server that fails, or what is wrong with its lists. */
export const remark = (left: Parameters<OnLeftOut>[0]) =>
  left._tag === "McpLeftOut"
    ? { subject: left.message, text: left.message }
    : { subject: left.server, text: Texts.leftOut(left.message) }

/** Listens to what is left out. Says each thing once. */
export const listener = Effect.map(Screen, ({ writeError }): OnLeftOut => {
  const said = new Set<string>()
  return (left) =>
    Effect.suspend(() => {
      const { subject, text } = remark(left)
      if (said.has(subject)) return Effect.void
      said.add(subject)
      return writeError(`skein: ${TerminalText.line(text)}\n`)
    })
})

/** What is said about a server of the configuration that cannot be used. */
export const unusable = ({ path }: Configuration, { issues, name }: Configuration["unusableServers"][number]): string =>
  Texts.unusableServer(name, path, issues)

/** Says which servers of the configuration cannot be used. */
export const say = (configuration: Configuration) =>
  Effect.flatMap(Screen, ({ writeError }) =>
    Effect.forEach(
      configuration.unusableServers,
      (server) => writeError(`skein: ${TerminalText.line(unusable(configuration, server))}\n`),
      { discard: true }
    )
  )
