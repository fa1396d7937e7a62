import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Commands from "../../../../src/adapters/cli/texts/Commands.js"
import * as Program from "./Program.js"

const packageFile = fileURLToPath(new URL("../../../../package.json", import.meta.url))

describe("skein, asked wrongly", () => {
  it.scopedLive("says its version, and what commands there are", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const { stdout } = yield* home.run(["--version"])
      expect(readFileSync(packageFile, "utf8")).toContain(`"version": "${stdout.trimEnd()}"`)
      const help = yield* home.run([])
      expect(help).toMatchObject({ code: 0, stderr: "" })
      expect(help.stdout).toContain("  sessions delete SESSION")
      expect(help.stdout).not.toContain("\x1b")
      for (const args of [["help"], ["-h"]]) expect(yield* home.run(args)).toEqual(help)
      expect(yield* home.run(["-v"])).toMatchObject({ code: 0, stdout })
      expect(existsSync(home.data)).toBe(false)
    })
  )

  it("version and help load less than 64 KB", () => {
    const dist = new URL("../../../../dist/", import.meta.url)
    const loaded = new Map<string, number>()
    const load = (file: URL): void => {
      if (loaded.has(file.href)) return
      const source = readFileSync(file, "utf8")
      loaded.set(file.href, source.length)
      for (const [, path] of source.matchAll(/(?:^|[;}\n])(?:import|export)[^"'();]*["'](\.[^"']+)["']/g)) {
        load(new URL(path ?? "", file))
      }
    }
    load(new URL("skein.mjs", dist))
    expect([...loaded.values()].reduce((sum, size) => sum + size, 0)).toBeLessThan(64 * 1024)
  })

  it.scopedLive("each command shows its own help", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      for (const { about, name } of Commands.all) {
        const help = yield* home.run([...name.split(" "), "--help"])
        expect(help).toMatchObject({ code: 0, stderr: "" })
        expect(help.stdout.startsWith(`${about}\n\nUsage:\n  skein ${name}`)).toBe(true)
      }
      expect(existsSync(home.data)).toBe(false)
    })
  )

  it.scopedLive("a message may begin with a dash", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "s.json": JSON.stringify([{ text: "hello" }]) })
      const sent = yield* home.run(["run", "- fix this", "--model", "script/s.json"])
      expect(sent).toMatchObject({ code: 0, stdout: "hello\n" })
      const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
      expect(session?.title).toBe("- fix this")
    })
  )

  it.scopedLive("without a provider it says which ways there are to set one up, and makes nothing", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const { code, stderr, stdout } = yield* home.run(["run", "hello"])
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
      for (const way of ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "--model", "SKEIN_MODEL", "config.json", "demo"]) {
        expect(stderr).toContain(way)
      }
      expect(existsSync(home.data)).toBe(false)
    })
  )

  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, code: number, says: string]> = [
    [["runn"], 2, "did you mean run?"],
    [["run"], 2, "missing message"],
    [["run", " "], 2, "empty"],
    [["run", "hi", "there"], 2, 'skein run "hi there"'],
    [["run", "hi", "--modle", "a/b"], 2, "did you mean --model?"],
    [["run", "hi", "--model"], 2, "--model needs a value"],
    [["run", "hi", "--model", "nope"], 2, "PROVIDER/MODEL"],
    [["run", "hi", "--model", "nobody/m"], 2, "nobody/m"],
    [["run", "hi", "--model", "anthropic/m"], 2, "ANTHROPIC_API_KEY"],
    [["run", "hi", "--model", "script/none.json"], 2, "none.json"],
    [["run", "hi", "--model", "script/s.json", "--attach", "a.txt"], 2, "mcp:SERVER:URI"],
    [["run", "hi", "--model", "script/s.json", "--attach", "mcp:none:a"], 1, "MCP server none"],
    [["run", "hi", "--session", "a/b"], 2, "a/b"],
    [["run", "hi", "--session", "none"], 1, "no session none"],
    [["run", "hi", "--session", "none", "--workdir", "."], 2, "--workdir"],
    [["run", "hi", "--model", "script/s.json", "--workdir", "none"], 2, "workdir"],
    [["run", "--resume"], 2, "--session"],
    [["run", "hi", "--session", "none", "--resume"], 2, "takes no message"],
    [["sessions", "show", "none"], 1, "no session none"],
    [["sessions", "show", "../x"], 2, "../x"],
    [["sessions", "show"], 2, "missing SESSION"],
    [["sessions", "list", "--limit", "0"], 2, "1 or more"],
    [["sessions", "rename", "none", ""], 2, "title"],
    [["sessions", "model", "none", "x"], 2, "PROVIDER/MODEL"],
    [["sessions", "delete", "none"], 2, "--yes"],
    [["sessions", "delete", "none", "--yes"], 1, "no session none"]
  ]

  it.scopedLive("says in one line what is wrong with what was asked, with the right code", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "s.json": "[]" })
      const outcomes = yield* Effect.forEach(
        wrong,
        ([args, code, says]) =>
          Effect.map(home.run(args), (ended) => ({
            args,
            isRight:
              ended.code === code &&
              ended.stdout === "" &&
              ended.stderr.includes(says) &&
              Program.isOneLine(ended.stderr),
            ended
          })),
        { concurrency: 2 }
      )
      expect(outcomes.filter(({ isRight }) => !isRight)).toEqual([])
      expect(existsSync(home.data)).toBe(false)
    })
  )

  it.scopedLive("what only works on sessions that are there creates no database", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const ended = yield* Effect.forEach(
        [
          ["sessions", "list"],
          ["audit"],
          ["export", "--all"],
          ["watch", "none"],
          ["sessions", "rename", "none", "x"],
          ["sessions", "move", "none", "."],
          ["sessions", "agent", "none", "workspace"],
          ["run", "hi", "--last", "--model", "script/s.json"]
        ],
        (args) => Effect.map(home.run(args), ({ code }) => code),
        { concurrency: 2 }
      )
      expect(ended).toEqual([0, 0, 0, 1, 1, 1, 1, 2])
      expect(existsSync(home.data)).toBe(false)
    })
  )

  it.scopedLive("a data folder that cannot be used is one line and code 1", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "s.json": "[]" })
      yield* home.write("file", "no folder")
      yield* home.write("other/skein.db", "no database at all, but a text of somebody else")
      const list = ["sessions", "list"]
      const run = ["run", "hi", "--model", "script/s.json"]
      for (const [data, args] of [
        [home.at("file/data"), list],
        [home.at("file/data"), run],
        [home.at("other"), list],
        [home.at("other"), run],
        ["/proc/x", run],
        ["/proc/x/y", run]
      ] as const) {
        const { code, stderr } = yield* home.run([...args, "--data", data])
        expect({ data, code, isOneLine: Program.isOneLine(stderr), stderr }).toMatchObject({
          code: 1,
          isOneLine: true
        })
        expect(stderr).toContain(data)
      }
      expect(readFileSync(home.at("other/skein.db"), "utf8")).toContain("somebody else")
    })
  )

  it.scopedLive("a configuration that cannot be used is one line and code 2, and shows no key that stands in it", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const key = "sk-canary-0123456789"
      const provider = { kind: "chat-completions", baseUrl: "http://127.0.0.1:1/v1" }
      const contents = [
        [`{\n  "providers": ${key} }`, "line 2, column 16: not valid JSON"],
        [
          JSON.stringify({ providers: { local: { ...provider, apiKey: key } } }, null, 2),
          "line 6, column 7: providers"
        ],
        [JSON.stringify({ providers: { local: provider }, keys: key }, null, 2), "line 8, column 3: keys"],
        [
          JSON.stringify({ providers: { local: { ...provider, baseUrl: `http://u:${key}@127.0.0.1/v1` } } }, null, 2),
          "line 5, column 7: providers.local.baseUrl"
        ],
        [
          JSON.stringify({ model: "no-slash", providers: { local: provider } }, null, 2),
          "line 2, column 3: model: expected PROVIDER/MODEL"
        ]
      ] as const
      for (const [content, says] of contents) {
        yield* home.write("config.json", content)
        const { code, stderr } = yield* home.run(["run", "hi"], { SKEIN_CONFIG: home.at("config.json") })
        expect({ content, code, isOneLine: Program.isOneLine(stderr) }).toMatchObject({ code: 2, isOneLine: true })
        expect(stderr).toContain(`config.json, ${says}`)
        expect(stderr).not.toContain(key)
      }
      const absent = yield* home.run(["run", "hi"], { SKEIN_CONFIG: home.at("none.json") })
      expect(absent.code).toBe(2)
      expect(absent.stderr).toContain("no such file or folder")
    })
  )

  it.scopedLive("SKEIN_MODEL, SKEIN_DATA and --data are what they are said to be", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "s.json": JSON.stringify([{ text: "hello" }]) })
      const named = yield* home.run(["run", "hi"], { SKEIN_MODEL: `script/s.json` })
      expect(named).toMatchObject({ code: 0 })
      expect(existsSync(`${home.data}/skein.db`)).toBe(true)
      const wrongly = yield* home.run(["run", "hi"], { SKEIN_MODEL: "nope" })
      expect(wrongly).toMatchObject({ code: 2 })
      expect(wrongly.stderr).toContain("SKEIN_MODEL")
      const elsewhere = yield* home.run(["run", "hi", "--model", "script/s.json", "--data", home.at("elsewhere")])
      expect(elsewhere).toMatchObject({ code: 0 })
      expect(existsSync(home.at("elsewhere/skein.db"))).toBe(true)
    })
  )
})
