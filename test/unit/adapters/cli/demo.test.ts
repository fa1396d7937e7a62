import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Program from "./Program.js"

/** The two columns of the report. */
const columns = (output: string) => {
  const rows = output.split("\n").flatMap((line) => {
    const [, finished, stored] = /^ {2}\d+\. (.+?) {2,}#\d+ (.+)$/.exec(line) ?? []
    return finished === undefined || stored === undefined ? [] : [{ finished, stored }]
  })
  return { finished: rows.map(({ finished }) => finished), stored: rows.map(({ stored }) => stored) }
}

const calls = (output: string) => Array.from(output.matchAll(/^ {2}[✓✗] (.+?)(?: {2,}.*)?$/gm), ([, call = ""]) => call)

describe("skein demo", () => {
  it.scopedLive("P1 one order: shows calls as they finish, then that they are stored as they were asked for", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "README.md": "# Read me\n", "a.txt": "TODO\n", ".env": "KEY=secret\n" })
      const { code, stderr, stdout } = yield* home.run(["demo"])
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      const { finished, stored } = columns(stdout)
      expect(finished).toEqual(calls(stdout))
      expect(stored).toEqual(["grep TODO|FIXME", "glob **/*", "list", "read README.md", "read a.txt"])
      expect([...finished].sort()).toEqual([...stored].sort())

      const [id = ""] = /ses_\w+/.exec(stdout) ?? []
      expect(stdout).toContain(`skein sessions show ${id}\n`)
      const shown = Program.entries(yield* home.run(["sessions", "show", id, "--json"]))
      expect(shown.map(({ message }) => (message.role === "tool" ? message.name : message.role))).toEqual([
        "user",
        "assistant",
        "grep",
        "glob",
        "list",
        "read",
        "read",
        "assistant"
      ])
      expect(shown[2]?.message).toMatchObject({ outcome: "success", text: "a.txt:1: TODO" })
      expect(shown[5]?.message).toMatchObject({ outcome: "success", text: "# Read me\n" })
    })
  )

  it.scopedLive("works in an empty folder, and says where to look with --data", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const { code, stdout } = yield* home.run(["demo", "--data", home.at("it's here")])
      expect(code).toBe(0)
      expect(columns(stdout).stored).toEqual(["grep TODO|FIXME", "glob **/*", "list"])
      expect(stdout).toContain(` --data '${home.at("it")}'\\''s here'\n`)
    })
  )
})
