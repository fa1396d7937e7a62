import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import { readFileSync } from "node:fs"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Configuration from "../../../../src/adapters/cli/Configuration.js"
import * as Commands from "../../../../src/adapters/cli/texts/Commands.js"
import * as DataFolder from "../../../../src/adapters/node/DataFolder.js"
import * as Program from "./Program.js"

const documentOf = (path: string) => readFileSync(new URL(`../../../../src/${path}`, import.meta.url), "utf8")

const blocksOf = (text: string, language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, "g")), ([, block = ""]) => block)

const text = documentOf("adapters/cli/README.md")
const blocks = (language: string) => blocksOf(text, language)

/** The parts of the document that speak of a command: paragraphs, points and rows, and the sections of those with a table. */
const said = (command: string): ReadonlyArray<string> => {
  const section = { run: "### `skein run`", serve: "## A server" }[command]
  const own = section === undefined ? [] : [text.slice(text.indexOf(section)).split(/\n##+ /)[0] ?? ""]
  const parts = text.split(/\n(?=\||- |\n)/).filter((part) => new RegExp(`\\b${command}\\b`).test(part))
  return [...own, ...parts]
}

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
        if (name !== "data" && name !== "database") {
          expect(
            said(command.name).some((words) => words.includes(`--${name}`)),
            `${command.name} --${name}`
          ).toBe(true)
        }
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

describe("the deployments of the server's document", () => {
  const server = documentOf("SERVER.md")

  /** Where a server with this environment, command line and home keeps what it stores while it runs. */
  const kept = (variables: ReadonlyArray<string>, args: ReadonlyArray<string>, home: string) => {
    const env = Object.fromEntries(variables.map((variable) => variable.split(/=(.*)/s)))
    const host = { platform: "linux", env, home, cwd: "/" } as const
    const reading = CommandLine.read(args)
    expect(reading._tag).toBe("Call")
    const given = reading._tag === "Call" ? reading.values.value("data") : null
    const places = [DataFolder.data(host, given ?? undefined), DataFolder.data(host), DataFolder.rules(host)]
    return Either.getOrThrow(Either.all(places))
  }

  const isBelow = (folders: ReadonlyArray<string>) => (path: string) =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`))

  it("give a service a writable place for sessions, logins and rules", () => {
    const [unit = ""] = blocksOf(server, "ini")
    const all = (name: string) =>
      Array.from(unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm")), ([, value = ""]) => value.split(" ")).flat()
    const writable = [...all("ReadWritePaths"), ...all("StateDirectory").map((name) => `/var/lib/${name}`)]
    const places = kept(all("Environment"), all("ExecStart").slice(1), "/home/skein")
    expect(places.filter((path) => !isBelow(writable)(path))).toEqual([])
  })

  it("keep them in a container's volumes, under an init that ends what a shell leaves", () => {
    const [file = ""] = blocksOf(server, "dockerfile")
    const line = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(file)?.[1] ?? ""
    const list = (name: string) => Schema.decodeSync(Schema.parseJson(Schema.Array(Schema.String)))(line(name))
    const entry = list("ENTRYPOINT")
    const args = [...entry.slice(entry.indexOf("skein") + 1), ...list("CMD")]
    const places = kept(line("ENV").split(" "), args, "/home/node")
    expect(places.filter((path) => !isBelow(line("VOLUME").split(" "))(path))).toEqual([])
    expect(entry.slice(0, entry.indexOf("skein"))).toEqual(["tini", "--"])
    expect(file).toMatch(/apt-get install [^\n]*\btini\b/)
  })
})
