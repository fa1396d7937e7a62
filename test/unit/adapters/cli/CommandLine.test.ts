import { describe, expect, it } from "@effect/vitest"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Commands from "../../../../src/adapters/cli/texts/Commands.js"

const call = (...args: ReadonlyArray<string>) => {
  const reading = CommandLine.read(args)
  if (reading._tag !== "Call") return reading
  const options = [...Commands.common, ...reading.command.options].filter(({ name }) => reading.values.has(name))
  return {
    command: reading.command.name,
    arguments: [0, 1].flatMap((at) => reading.values.argument(at) ?? []),
    options: Object.fromEntries(options.map(({ name }) => [name, reading.values.value(name)]))
  }
}

const detail = (...args: ReadonlyArray<string>) => {
  const reading = CommandLine.read(args)
  return reading._tag === "Wrong" ? reading.detail : reading
}

describe("CommandLine", () => {
  it("reads options before, between and after the words", () => {
    const expected = { command: "run", arguments: ["hi"], options: { model: "a/b", yes: null, "log-level": "debug" } }
    for (const args of [
      ["--log-level", "debug", "run", "--model", "a/b", "--yes", "hi"],
      ["run", "hi", "--yes", "--model=a/b", "--log-level=debug"],
      ["--yes", "--model", "a/b", "run", "--log-level", "debug", "--", "hi"]
    ]) {
      expect(call(...args)).toEqual(expected)
    }
  })

  it("an argument with a blank is no option, and neither is one after --", () => {
    for (const message of ["- fix this", "--dry-run must work", "-x y", "--a b=c", "-", "- [ ] one\n- [ ] two"]) {
      expect(call("run", message, "--model", "a/b")).toMatchObject({ arguments: [message], options: { model: "a/b" } })
    }
    expect(call("run", "--", "--yes")).toMatchObject({ arguments: ["--yes"], options: {} })
    expect(call("sessions", "list", "--title", "- a b")).toMatchObject({ options: { title: "- a b" } })
    expect(call("sessions", "list", "--title=a b")).toMatchObject({ options: { title: "a b" } })
  })

  it("each command knows --help, wherever it stands", () => {
    for (const { name } of Commands.all) {
      const words = name.split(" ")
      for (const args of [
        [...words, "--help"],
        ["--help", ...words],
        [...words, "-h", "--nonsense"],
        ["help", ...words]
      ]) {
        expect(CommandLine.read(args)).toEqual({ _tag: "Help", of: name })
      }
    }
    for (const args of [[], ["help"], ["--help"], ["-h"]]) {
      expect(CommandLine.read(args)).toEqual({ _tag: "Help", of: "" })
    }
    for (const args of [["sessions"], ["sessions", "--help"], ["help", "sessions"]]) {
      expect(CommandLine.read(args)).toEqual({ _tag: "Help", of: "sessions" })
    }
    for (const args of [["--version"], ["-v"], ["-V"]]) expect(CommandLine.read(args)).toEqual({ _tag: "Version" })
  })

  it("words that are no command lead to one", () => {
    expect(detail("runn")).toBe('unknown command "runn"; did you mean run?')
    expect(detail("sessions", "shwo", "x")).toBe('unknown command "sessions shwo"; did you mean sessions show?')
    expect(detail("fix", "the", "bug")).toBe('unknown command "fix"; to send a message: skein run "fix the bug"')
    expect(detail("fix the bug")).toBe('unknown command "fix the bug"; to send a message: skein run "fix the bug"')
    expect(detail("frobnicate")).toBe('unknown command "frobnicate" (see skein --help)')
    expect(detail("sessions", "--json")).toBe(
      "incomplete command sessions; it takes one of list, show, rename, model, agent, move, delete"
    )
    expect(detail("run", "fix", "it's")).toBe(`unexpected argument "it's"; quote the message: skein run "fix it's"`)
    expect(detail("run", "cost:", "$5")).toBe(`unexpected argument "$5"; quote the message: skein run 'cost: $5'`)
    expect(detail("--json")).toBe('missing command before "--json" (see skein --help)')
  })

  it("an option that is wrong is named", () => {
    expect(detail("run", "hi", "--modle", "a/b")).toBe('unknown option "--modle"; did you mean --model?')
    expect(detail("run", "hi", "-model", "a/b")).toBe('unknown option "-model"; did you mean --model?')
    expect(detail("run", "-5")).toBe('unknown option "-5"; to send it as a message: skein run -- "-5"')
    expect(detail("run", "-v")).toBe('unknown option "-v"; to send it as a message: skein run -- "-v"')
    expect(detail("sessions", "show", "x", "--yes")).toBe(
      'skein sessions show takes no option "--yes" (see skein sessions show --help)'
    )
    expect(detail("run", "hi", "--model")).toBe("--model needs a value: --model PROVIDER/MODEL")
    expect(detail("run", "hi", "--model", "--yes")).toBe("--model needs a value: --model PROVIDER/MODEL")
    expect(detail("run", "hi", "--model=")).toBe("--model needs a value: --model PROVIDER/MODEL")
    expect(detail("run", "hi", "--yes=no")).toBe("--yes takes no value")
    expect(detail("run", "hi", "--model", "a/b", "--model=c/d")).toBe("--model is given more than once")
  })

  it("a missing argument and one too many are named", () => {
    expect(detail("sessions", "show")).toBe("missing SESSION (see skein sessions show --help)")
    expect(detail("sessions", "rename", "x")).toBe("missing TITLE (see skein sessions rename --help)")
    expect(detail("doctor", "here")).toBe('unexpected argument "here" (see skein doctor --help)')
  })

  it("what was typed is shown cut", () => {
    for (const word of ["a\x1b[2Jb\nc", "x".repeat(100_000), "\u202egnp"]) {
      for (const args of [
        [word],
        ["run", "hi", word],
        ["run", `--${word.replace("\n", "")}`],
        ["sessions", word],
        ["sessions", "show", "x", word]
      ]) {
        const text = detail(...args)
        expect(text).toSatisfy((text) => typeof text === "string" && text.length < 300)
      }
    }
  })

  it("a name has a value in all commands or in none", () => {
    const options = [...Commands.common, ...Commands.all.flatMap((command) => command.options)]
    for (const { name, value } of options) {
      expect(options.filter((other) => other.name === name && (other.value === null) !== (value === null))).toEqual([])
    }
  })
})
