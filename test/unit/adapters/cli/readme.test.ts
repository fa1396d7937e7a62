import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Configuration from "../../../../src/adapters/cli/Configuration.js"
import * as Commands from "../../../../src/adapters/cli/texts/Commands.js"
import * as Program from "./Program.js"

const text = readFileSync(new URL("../../../../src/adapters/cli/README.md", import.meta.url), "utf8")

const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, "g")), ([, block = ""]) => block)

/** The arguments of the program's calls in a shell command line. */
const argumentsOf = (line: string): ReadonlyArray<string> =>
  Array.from(
    line
      .replace(/^.*?\bskein /, "")
      .replace(/ [>#].*$/, "")
      .matchAll(/"([^"]*)"|(\S+)/g),
    ([, quoted, plain]) => quoted ?? plain ?? ""
  )

describe("the command's README", () => {
  it("names every command with its arguments, and every option", () => {
    for (const command of Commands.all) {
      const usage = [
        command.name,
        ...command.arguments.map(({ isOptional, name }) => (isOptional === true ? `[${name}]` : name))
      ].join(" ")
      expect(text).toContain(`\`skein ${usage}\``)
      for (const { name, value } of command.options) {
        expect(text).toContain(`--${name}${value === null ? "" : ` ${value}`}`)
      }
    }
    for (const { name, value } of Commands.common)
      expect(text).toContain(`--${name}${value === null ? "" : ` ${value}`}`)
  })

  it("names no option that there is not", () => {
    const known = [
      "version",
      ...[...Commands.common, ...Commands.all.flatMap(({ options }) => options)].map(({ name }) => name)
    ]
    for (const [, name] of text.matchAll(/--([a-z][a-z-]*)/g)) {
      expect(["name", ...known]).toContain(name)
    }
  })

  it("shows command lines that are understood, as does the help", () => {
    const shown = blocks("sh").flatMap((block) => block.trim().split("\n"))
    for (const line of [...shown, ...Commands.all.flatMap(({ examples }) => examples)]) {
      expect([line, CommandLine.read(argumentsOf(line))]).toMatchObject([line, { _tag: "Call" }])
    }
  })

  it.scoped("shows a configuration that is understood", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const example = blocks("json").find((block) => block.includes('"providers"'))
      yield* home.write("config.json", example ?? "")
      const env = { SKEIN_CONFIG: home.at("config.json") }
      const found = yield* Configuration.load({ platform: "linux", env, home: home.at(""), cwd: home.workdir })
      expect(Object.keys(found.providers.providers)).toEqual(["local", "proxy"])
      expect(found.standard).toEqual({ provider: "local", model: "qwen3" })
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
