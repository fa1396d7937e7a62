/** The built program at a pseudo-terminal, which the command `script` creates. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Process from "../../../../support/programs/Process.js"
import * as Program from "../Program.js"
import * as FakeTerminal from "./FakeTerminal.js"

const program = fileURLToPath(new URL("../../../../../dist/skein.mjs", import.meta.url))

const columns = 60

const call = (name: string, input: Readonly<Record<string, string>>) => ({ name, input })

/** A search that takes longer than any test: it would go on forever, and only its time limit ends it. */
const slowFile = { "slow.txt": `${"a".repeat(60)}!\n` }
const slowCall = call("grep", { pattern: "(a+)+$", path: "slow.txt" })

/** Starts `skein run` on a terminal, with a model that follows the script. */
const start = (steps: ReadonlyArray<unknown>, redirection = "") =>
  Effect.gen(function* () {
    const home = yield* Program.make(slowFile)
    yield* home.write("script.json", JSON.stringify(steps))
    const command = `${process.execPath} ${program} run hello --model script/../script.json ${redirection}`
    const shell = `stty cols ${columns} rows 20; exec ${command}`
    const running = yield* Process.start("script", ["-qefc", shell, "/dev/null"], {
      cwd: home.workdir,
      env: { HOME: home.at(""), PATH: process.env["PATH"] ?? "", SKEIN_DATA: home.data, TERM: "xterm", NO_COLOR: "1" },
      talks: true
    })
    const seen = (text: string) =>
      Effect.iterate("", {
        while: (line) => !line.includes(text),
        body: () => Effect.map(Effect.flatten(running.line), (line): string => line)
      })
    return { home, running, seen }
  })

/** What the terminal shows at the end. */
const shown = (output: string) => {
  const terminal = FakeTerminal.make(columns, 20)
  terminal.send(output)
  return { rows: terminal.rows(), cursor: terminal.cursor() }
}

const wanted = "deny: "

describe("skein run at a terminal", () => {
  it.scopedLive("a line that was typed before a question does not answer it", () =>
    Effect.gen(function* () {
      const { home, running, seen } = yield* start([
        { calls: [call("shell", { command: "echo ONE > one" })] },
        { calls: [call("shell", { command: "echo TWO > two" })] },
        { text: "The end." }
      ])
      yield* seen(wanted)
      yield* running.say("y\ny")
      yield* seen("echo TWO")
      yield* seen(wanted)
      yield* running.say("n")
      const { code, stdout } = yield* running.ended
      expect(code).toBe(0)
      expect(readdirSync(home.workdir)).toEqual(["one", "slow.txt"])
      const { cursor, rows } = shown(stdout)
      expect(cursor).toMatchObject({ isAtStart: true, isShown: true })
      expect(rows.slice(1).map((row) => row.replace(/ +\d+ ms$/, ""))).toEqual([
        "  shell wants to run with this input:",
        '  {"command":"echo ONE > one"}',
        "  y = allow once, s = allow for this session, n = deny: y",
        '  ✓ shell "echo ONE > one"',
        "  shell wants to run with this input:",
        '  {"command":"echo TWO > two"}',
        "  y = allow once, s = allow for this session, n = deny: n",
        '  ✗ shell "echo TWO > two"',
        "    denied Denied: the user said no",
        "The end."
      ])
    })
  )

  it.scopedLive("p allows a command for good: its rule is shown, stored, and decides from then on", () =>
    Effect.gen(function* () {
      const { home, running, seen } = yield* start([
        { calls: [call("shell", { command: "git --version" })] },
        { calls: [call("shell", { command: "git  '--version'" })] },
        { text: "The end." }
      ])
      yield* seen("stores the rule")
      yield* seen(wanted)
      yield* running.say("p")
      expect((yield* running.ended).code).toBe(0)

      const list = yield* home.run(["rules", "list"])
      expect(list.stdout).toBe(`allow  shell: git --version\n       in ${home.workdir}\n`)
      const test = (...args: ReadonlyArray<string>) =>
        Effect.map(home.run(["rules", "test", "shell", ...args]), ({ stdout }) => stdout)
      expect(yield* test("git --version")).toBe("allow, by the rule shell: git --version\n")
      expect(yield* test("git --version > x")).toMatch(/^no rule matches/)
      expect(yield* test("git --version", "--folder", "..")).toMatch(/^no rule matches/)

      yield* home.run(["rules", "add", "deny", "shell: rm *", "--folder", "."])
      expect(yield* test("git --version && rm -rf x")).toBe("deny, by the rule shell: rm *\n")
      expect(yield* test("git --version > x")).toMatch(/^ask, because there are rules/)
      const lines = (yield* home.run(["rules", "list", "--json"])).stdout.trim().split("\n")
      expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
        { word: "deny", pattern: "shell: rm *", folder: home.workdir, session: null },
        { word: "allow", pattern: "shell: git --version", folder: home.workdir, session: null }
      ])
      expect((yield* home.run(["rules", "remove", "shell: git --version"])).code).toBe(0)
      const again = yield* home.run(["rules", "remove", "shell: git --version"])
      expect([again.code, again.stderr]).toEqual([
        2,
        "skein: no rule has the pattern shell: git --version; see skein rules list\n"
      ])
      const wrong = yield* Effect.forEach(
        [
          ["rules", "add", "permit", "shell"],
          ["rules", "add", "allow", "two words"],
          ["rules", "add", "allow", "shell", "--session", "a b"]
        ],
        (args) => home.run(args),
        { concurrency: 2 }
      )
      expect(wrong.map(({ code, stderr }) => [code, stderr.split(":")[0], stderr.trim().split("\n").length])).toEqual([
        [2, "skein", 1],
        [2, "skein", 1],
        [2, "skein", 1]
      ])
      expect(wrong.map(({ stderr }) => stderr).join("")).toMatch(/DECISION.*\n.*PATTERN.*\n.*session/)
    })
  )

  it.scopedLive("calls that end while a question waits are shown; Ctrl-C leaves nothing behind", () =>
    Effect.gen(function* () {
      const { running, seen } = yield* start([
        {
          text: "Looking.",
          calls: [slowCall, call("shell", { command: "true" }), call("list", {})]
        }
      ])
      yield* seen("✓ list")
      yield* seen(wanted)
      yield* running.say("\x03")
      const { code, stdout } = yield* running.ended
      expect(code).toBe(130)
      const { cursor, rows } = shown(stdout)
      expect(cursor).toMatchObject({ isAtStart: true, isShown: true })
      expect(rows.filter((row) => /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]|waiting|deny:/u.test(row))).toEqual([])
      expect(rows.slice(1, 3)).toEqual(["Looking.", expect.stringMatching(/^ {2}✓ list +\d+ ms$/)])
      expect(rows.at(-1)).toBe("  cancelled")
    })
  )

  it.scopedLive("Ctrl-D at a question decides nothing: it cancels the run, which can be continued", () =>
    Effect.gen(function* () {
      const { home, running, seen } = yield* start([{ calls: [call("shell", { command: "echo ONE > one" })] }])
      yield* seen(wanted)
      yield* running.say("\x04")
      const { code, stdout } = yield* running.ended
      expect(code).toBe(130)
      const { cursor, rows } = shown(stdout)
      expect(cursor).toMatchObject({ isAtStart: true, isShown: true })
      expect(rows.slice(-3).join(" ")).toMatch(/ cancelled skein: the input ended /)
      const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
      const told = yield* home.run(["sessions", "show", session?.id ?? ""])
      expect(told.stdout).toContain("never-started")
      expect(told.stdout).not.toContain("said no")
    })
  )

  it.scopedLive("an output that is no terminal gets no escape sequences", () =>
    Effect.gen(function* () {
      const { home, running } = yield* start([{ calls: [call("list", {})] }, { text: "The end." }], "> ../out.txt")
      expect((yield* running.ended).code).toBe(0)
      const output = readFileSync(home.at("out.txt"), "utf8")
      expect(output).toContain("The end.\n")
      expect(output).not.toMatch(/[\x1b\r]/)
    })
  )
})
