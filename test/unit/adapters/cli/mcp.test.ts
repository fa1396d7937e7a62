import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Program from "./Program.js"

/** The program of a package. */
const programOf = (name: string) =>
  join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "dist/index.js")

const scriptedProgram = bundle(new URL("../mcp/scripted.ts", import.meta.url), { whole: true })

const hostileProgram = bundle(new URL("../mcp/hostile.ts", import.meta.url), { whole: true })

describe("skein mcp", () => {
  it.scopedLive("adds, tries and removes servers, and runs have their tools, asked about before they run", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const hostile = yield* hostileProgram
      const file = home.at(".config/skein/config.json")
      yield* home.write("s.json", JSON.stringify([{ calls: [{ name: "odd__evil", input: {} }] }, { text: "done" }]))

      const add = (...args: ReadonlyArray<string>) => home.run(["mcp", "add", ...args])
      expect((yield* add("odd", "--", process.execPath, hostile, "lies")).code).toBe(0)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      yield* home.write(".config/skein/config.json", readFileSync(file, "utf8").replace("{", '{ "model": "script/x",'))
      expect((yield* add("web", "https://example.com/mcp?key=canary")).code).toBe(0)
      expect((yield* home.run(["mcp", "list"])).stdout).toBe(
        `odd\n  ${process.execPath} ${hostile} lies\nweb\n  https://example.com/mcp\n`
      )
      const tried = yield* home.run(["mcp", "test", "odd"])
      expect(tried.stdout).toMatch(/^odd: hostile 1\n4 tools:\n {2}odd__with_dots_/)

      expect((yield* home.run(["mcp", "remove", "web"])).code).toBe(0)
      expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
        model: "script/x",
        mcpServers: { odd: { command: process.execPath, args: [hostile, "lies"] } }
      })

      const denied = yield* home.run(["run", "go", "--model", "script/../s.json"])
      expect(denied.stderr).toMatch(/odd__evil/)
      expect(denied.stderr).toMatch(/denied/)
      const allowed = yield* home.run(["run", "go", "--yes", "--model", "script/../s.json"])
      expect(allowed.stderr).toMatch(/✓ odd__evil/)

      // It is asked for its tools at each step, and what is wrong with it said once.
      expect((yield* add("dead", "--", process.execPath, hostile, "stillborn")).code).toBe(0)
      const without = yield* home.run(["run", "go", "--yes", "--model", "script/../s.json"])
      expect(without.stderr.match(/dead failed to connect: .*; the run goes on without its tools\n/g)).toHaveLength(1)
      expect(without.stderr).toMatch(/✓ odd__evil/)
      expect((yield* home.run(["mcp", "remove", "dead"])).code).toBe(0)

      const theirFile = {
        mcpServers: { theirs: { type: "stdio", command: process.execPath, args: [hostile, "lies"] } }
      }
      yield* home.write("work/.mcp.json", JSON.stringify(theirFile))
      yield* home.write("t.json", JSON.stringify([{ calls: [{ name: "theirs__evil", input: {} }] }, { text: "done" }]))
      const theirs = (...more: ReadonlyArray<string>) =>
        Effect.map(home.run(["run", "go", "--yes", "--model", "script/../t.json", ...more]), ({ stderr }) => stderr)
      expect(yield* theirs()).toMatch(/There is no tool theirs__evil/)
      expect((yield* home.run(["mcp", "trust"])).stderr).toMatch(/^skein: a folder's servers are programs/)
      expect((yield* home.run(["mcp", "trust", "--yes"])).stdout).toMatch(/^theirs\n.*\n {2}only in .*work and below\n/)
      expect(yield* theirs()).toMatch(/✓ theirs__evil/)
      expect(yield* theirs("--workdir", "..")).toMatch(/There is no tool theirs__evil/)

      const wrong = yield* Effect.forEach(
        [
          ["add", "odd", "x"],
          ["add", "a b", "x"],
          ["add", "odd"],
          ["remove", "other"],
          ["test", "other"],
          ["trust", ".."],
          ["trust", "nowhere"]
        ],
        (args) => home.run(["mcp", ...args])
      )
      expect(wrong.map(({ code, stderr }) => [code, stderr.trim().split("\n").length])).toEqual(wrong.map(() => [2, 1]))
    })
  )

  it.scopedLive("has prompts as slash commands, and attaches resources", () =>
    Effect.gen(function* () {
      const server = programOf("@modelcontextprotocol/server-everything")
      const mcpServers = { every: { command: process.execPath, args: [server] } }
      const home = yield* Program.make({ "s.json": JSON.stringify([{ text: "done" }]) })
      yield* home.write(".config/skein/config.json", JSON.stringify({ mcpServers }))
      const tried = (yield* home.run(["mcp", "test", "every"])).stdout
      expect(tried).toMatch(/prompts:\n[^]*\/every__args-prompt city \[state\]\n/)
      expect(tried).toMatch(/resources:\n {2}demo:/)
      const say = (...args: ReadonlyArray<string>) => home.run(["run", ...args, "--model", "script/s.json"])
      const said = yield* say("/every__args-prompt Paris", "--attach", "mcp:every:demo://resource/dynamic/blob/1")
      expect(said.code).toBe(0)
      const exported = (yield* home.run(["export", "--all"])).stdout
      expect(exported).toMatch(/What's weather in Paris/)
      expect(exported).toMatch(/"type":"asset"/)
      expect((yield* say("/every__args-prompt")).stderr).toMatch(/no city/)
    })
  )

  it.scopedLive("lose only the server, or the tool, that cannot be used, and say which and why", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({
        "s.json": JSON.stringify([{ calls: [{ name: "odd__go", input: {} }] }, { text: "done" }])
      })
      const answers = {
        "tools/list": {
          tools: [
            { name: "go", inputSchema: { type: "object" } },
            { name: "formless", inputSchema: 7 }
          ]
        },
        "tools/call": { content: [{ type: "text", text: "gone" }] },
        "prompts/list": { prompts: [{ name: 7 }] },
        "resources/list": { resources: [] }
      }
      const odd = { command: process.execPath, args: [yield* scriptedProgram, JSON.stringify(answers)] }
      const bad = { "a b": odd, blank: { command: "" }, misspelt: { ...odd, fodler: "/x" } }
      const file = home.at(".config/skein/config.json")
      yield* home.write(
        ".config/skein/config.json",
        JSON.stringify({ model: "script/s.json", mcpServers: { ...bad, odd } })
      )

      const ran = yield* home.run(["run", "go", "--yes"])
      expect(ran.stderr).toMatch(/✓ odd__go/)
      const said = (about: string) => ran.stderr.split(about).length - 1
      for (const [name, why] of [
        ["a b", "unknown field"],
        ["blank", "expected a non empty string"],
        ["misspelt", "unknown field"]
      ]) {
        expect(said(`skein: the MCP server ${name} in ${file} cannot be used: line 1, column `)).toBe(1)
        expect(ran.stderr).toMatch(new RegExp(`server ${name} in .*mcpServers\\.${name}.*${why}`))
      }
      expect(said("skein: Left out of the tools of the MCP server odd: odd__formless (its input schema: ")).toBe(1)

      expect((yield* home.run(["mcp", "test", "odd"])).stdout).toMatch(
        /1 tool:\n {2}odd__go\n[^]*left out:\n {2}odd__formless\n {4}its input schema: .*\n {2}number 1\n {4}its name /
      )
      const tried = yield* home.run(["mcp", "test", "blank"])
      expect([tried.code, tried.stderr]).toEqual([2, expect.stringMatching(/^skein: blank: cannot be used: line 1, /)])
      expect((yield* home.run(["mcp", "list"])).stdout).toMatch(
        /^odd\n.*\na b\n {2}cannot be used: line 1, column \d+: /
      )
      expect((yield* home.run(["mcp", "add", "blank", "x"])).code).toBe(2)
      for (const name of Object.keys(bad)) expect((yield* home.run(["mcp", "remove", name])).code).toBe(0)
      expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ model: "script/s.json", mcpServers: { odd } })

      yield* home.write("work/.mcp.json", JSON.stringify({ mcpServers: { ...bad, theirs: odd } }))
      expect((yield* home.run(["mcp", "trust", "--yes"])).stdout).toMatch(
        /^misspelt\n[^]*theirs\n[^]*\nblank\n {2}cannot be used: /
      )
      expect((yield* home.run(["mcp", "list"])).stdout).not.toMatch(/blank/)
    })
  )
})
