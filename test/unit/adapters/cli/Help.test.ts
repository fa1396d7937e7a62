import { describe, expect, it } from "@effect/vitest"
import * as AgentChoice from "../../../../src/adapters/cli/AgentChoice.js"
import * as Help from "../../../../src/adapters/cli/Help.js"
import * as Commands from "../../../../src/adapters/cli/texts/Commands.js"

describe("Help", () => {
  it("names every command, and a command's every argument and option", () => {
    const whole = Help.render("", "1.2.3", 80)
    expect(whole.startsWith("skein 1.2.3\n")).toBe(true)
    expect(whole).toContain("skein --version")
    for (const command of Commands.all) {
      expect(whole).toContain(`\n  ${command.name}`)
      const own = Help.render(command.name, "1.2.3", 80)
      expect(own.startsWith(`${command.about}\n\nUsage:\n  skein ${command.name}`)).toBe(true)
      for (const { name } of command.arguments) expect(own).toContain(`\n  ${name} `)
      for (const { name } of [...command.options, ...Commands.common]) expect(own).toContain(`\n  --${name}`)
      for (const example of command.examples) expect(own).toContain(`\n  ${example}\n`)
    }
    expect(Help.render("sessions", "1.2.3", 80)).toMatch(/^Commands:\n {2}sessions list /)
  })

  it("names the agents that there are", () => {
    for (const of of ["run", "sessions agent"]) {
      const text = Help.render(of, "1.2.3", 1_000)
      for (const name of AgentChoice.names) expect(text).toMatch(new RegExp(`\\b${name}\\b`))
    }
  })

  it("fits into 80 and into 40 columns, but for what is to be copied", () => {
    const examples = new Set(Commands.all.flatMap(({ examples }): ReadonlyArray<string> => examples))
    const isCopied = (line: string) => line.startsWith("  skein ") || examples.has(line.trim())
    for (const width of [80, 40]) {
      for (const of of ["", "sessions", ...Commands.all.map(({ name }) => name)]) {
        const lines = Help.render(of, "1.2.3", width).split("\n")
        expect(lines.filter((line) => line.length > width && !isCopied(line))).toEqual([])
      }
    }
  })
})
