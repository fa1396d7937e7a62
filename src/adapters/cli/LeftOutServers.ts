/** Says on the screen which MCP servers, and what of them, cannot be used. */
import { Effect } from "effect"
import type * as Mcp from "../mcp/Mcp.js"
import type { Configuration } from "./Configuration.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Mcp.js"

/** Listens to what is left out. Says once for each server that it fails, and once what is wrong with its lists. */
export const listener = Effect.map(Screen, ({ writeError }): NonNullable<Mcp.Options["onLeftOut"]> => {
  const said = new Set<string>()
  return (left) =>
    Effect.suspend(() => {
      const isPart = left._tag === "McpLeftOut"
      const key = isPart ? left.message : left.server
      if (said.has(key)) return Effect.void
      said.add(key)
      return writeError(`skein: ${TerminalText.line(isPart ? left.message : Texts.leftOut(left.message))}\n`)
    })
})

/** Says which servers of the configuration cannot be used. */
export const say = ({ path, unusableServers }: Configuration) =>
  Effect.flatMap(Screen, ({ writeError }) =>
    Effect.forEach(
      unusableServers,
      ({ issues, name }) => writeError(`skein: ${TerminalText.line(Texts.unusableServer(name, path, issues))}\n`),
      { discard: true }
    )
  )
