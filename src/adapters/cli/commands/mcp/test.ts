import { Effect, Ref } from "effect"
import * as Mcp from "../../../mcp/Mcp.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as McpServers from "../../McpServers.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import * as Texts from "../../texts/Mcp.js"
import type * as McpCommands from "../../texts/McpCommands.js"

export const run = Effect.fn("mcp.test")(function* (given: ValuesOf<typeof McpCommands.test>) {
  const name = yield* McpServers.name(given.argument(0) ?? "")
  const screen = yield* Screen
  const settings = yield* McpServers.settingsOf(yield* McpServers.configuration, name)
  const leftOut = yield* Ref.make<ReadonlyArray<readonly [name: string, why: string]>>([])
  const onLeftOut: Mcp.Options["onLeftOut"] = (left) =>
    Ref.update(leftOut, (before) => [
      ...before,
      ...(left._tag === "McpLeftOut"
        ? left.entries.map(
            ({ name, reason }) => [TerminalText.short(name, 100), TerminalText.short(reason, 200)] as const
          )
        : [[name, TerminalText.short(left.message, 200)] as const])
    ])
  yield* Effect.gen(function* () {
    const mcp = yield* Mcp.Mcp
    const about = yield* mcp.about(name)
    const tools = yield* mcp.tools(name)
    const title = Texts.about(name, TerminalText.short(about.name, 60), TerminalText.short(about.version, 20))
    const lines = tools.map(({ access, description, name }) => {
      const kind = access === "read" ? " (read)" : ""
      return `  ${screen.ansi.bold(name)}${kind}\n    ${TerminalText.short(description, 70)}\n`
    })
    const list = (head: string, items: ReadonlyArray<readonly [name: string, about: string]>) =>
      items.length === 0
        ? ""
        : [head, ...items.flatMap(([name, about]) => [`  ${screen.ansi.bold(name)}`, `    ${about}`])]
            .join("\n")
            .concat("\n")
    const commands = (yield* mcp.commands(settings.folder ?? null)).map(
      ({ about, arguments: given, name }) =>
        [
          TerminalText.short(
            [`/${name}`, ...given.map(({ isRequired, name }) => (isRequired ? name : `[${name}]`))].join(" "),
            100
          ),
          TerminalText.short(about, 70)
        ] as const
    )
    const resources = (yield* mcp.resources(name)).map(
      ({ description, name, title, uri }) =>
        [TerminalText.short(uri, 200), TerminalText.short(description ?? title ?? name, 70)] as const
    )
    yield* screen.write(
      [
        `${title}\n${Texts.tools(tools.length)}\n${lines.join("")}`,
        list(Texts.prompts(commands.length), commands),
        list(Texts.resources(resources.length), resources),
        list(Texts.leftOutOf, yield* Ref.get(leftOut))
      ].join("")
    )
  }).pipe(Effect.provide(Mcp.layer({ [name]: settings }, { logins: yield* McpServers.logins, onLeftOut })))
})
