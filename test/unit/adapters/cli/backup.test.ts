import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import * as Program from "./Program.js"

const withSession = Effect.gen(function* () {
  const home = yield* Program.make()
  yield* home.write("s.json", JSON.stringify([{ text: "hello" }]))
  yield* home.run(["run", "the first one", "--model", "script/../s.json"])
  const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
  const id = session?.id ?? ""
  return { home, id }
})

describe("skein backup and skein restore", () => {
  it.scopedLive(
    "take all sessions from one folder into another",
    () =>
      Effect.gen(function* () {
        const { home, id } = yield* withSession
        const made = yield* home.run(["backup", "../all.skein"])
        expect(made).toMatchObject({ code: 0, stderr: "" })
        expect(made.stdout).toBe(
          `Backed up 1 session and 0 files to ${home.at("all.skein")} (${(statSync(home.at("all.skein")).size / 1000).toFixed(1)} KB)\n`
        )
        const there = ["--data", home.at("fresh")]
        expect(yield* home.run(["restore", "../all.skein", ...there])).toMatchObject({
          code: 0,
          stdout: `Restored 1 session and 0 files into ${home.at("fresh")}\n`,
          stderr: ""
        })
        const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json", ...there]))
        expect(session).toMatchObject({ id, title: "the first one", head: 2 })
        const shown = yield* home.run(["sessions", "show", id, "--json", ...there])
        expect(shown.stdout).toBe((yield* home.run(["sessions", "show", id, "--json"])).stdout)
        expect(yield* home.run(["sessions", "rename", id, "elsewhere", ...there])).toMatchObject({ code: 0 })
      }),
    120_000
  )

  it.scopedLive(
    "say in one line what cannot be done, and then have done nothing",
    () =>
      Effect.gen(function* () {
        const { home } = yield* withSession
        writeFileSync(home.at("precious"), "precious")
        const before = readFileSync(`${home.data}/skein.db`)
        yield* home.run(["backup", "../all.skein"])
        const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
          [["backup"], 2, "missing FILE"],
          [["restore"], 2, "missing FILE"],
          [["backup", "../precious"], 1, "never overwrites a file"],
          [["backup", "../none/x"], 1, "ENOENT"],
          [["backup", "../x", "--data", home.at("none")], 1, "no database"],
          [["restore", "../all.skein"], 1, `${home.data}/skein.db`],
          [["restore", "../none", "--data", home.at("fresh")], 1, "none"],
          [["restore", "../precious", "--data", home.at("fresh")], 1, "not a backup"]
        ]
        for (const [args, code, says] of wrong) {
          const ended = yield* home.run(args)
          expect([args, ended.code, ended.stdout, Program.isOneLine(ended.stderr)]).toEqual([args, code, "", true])
          expect(ended.stderr).toContain(says)
        }
        expect(readFileSync(home.at("precious"), "utf8")).toBe("precious")
        expect(readFileSync(`${home.data}/skein.db`).equals(before)).toBe(true)
        expect([existsSync(home.at("fresh")), existsSync(home.at("x")), existsSync(home.at("none"))]).toEqual([
          false,
          false,
          false
        ])
        expect(readdirSync(home.at(".")).toSorted()).toEqual(["all.skein", "data", "precious", "s.json", "work"])
      }),
    120_000
  )
})
