import { Effect } from "effect"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as Texts from "../../texts/Mcp.js"

export const run = Effect.fn("mcp.list")(function* () {
  const { mcpServers, unusableServers } = yield* McpServers.configuration
  const screen = yield* Screen
  const lines = [
    ...Object.entries(mcpServers).map(([name, settings]) => McpServers.render(name, settings, screen.ansi)),
    ...unusableServers.map((server) => McpServers.renderUnusable(server, screen.ansi))
  ]
  yield* screen.write(lines.length === 0 ? `${Texts.none}\n` : lines.join(""))
})
