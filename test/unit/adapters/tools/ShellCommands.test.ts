import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ShellCommands from "../../../../src/adapters/tools/ShellCommands.js"

describe("lines that are understood", () => {
  const lines: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["git status", ["git status"]],
    ["  git   status\t--short ", ["git status --short"]],
    ["git status; rm -rf x", ["git status", "rm -rf x"]],
    ["git status && npm test || npm run lint", ["git status", "npm test", "npm run lint"]],
    ["git log | head -5", ["git log", "head -5"]],
    ["git status\nrm x", ["git status", "rm x"]],
    ["git commit -m 'a b'", ["git commit -m 'a b'"]],
    ['git commit -m "a b"', ["git commit -m 'a b'"]],
    ["git commit -m it\\'s", ["git commit -m 'it'\\''s'"]],
    ["g'i't status", ["git status"]],
    ["git a\\ b", ["git 'a b'"]],
    ["git status # rm x", ["git status"]],
    ["ls *.ts", ["ls *.ts"]],
    ["ls '*.ts'", ["ls '*.ts'"]],
    ["", []]
  ]
  for (const [line, commands] of lines) {
    it.effect(JSON.stringify(line), () =>
      Effect.map(ShellCommands.of(line), (found) => expect(found).toEqual({ commands, isWhole: true }))
    )
  }
})

describe("lines that do more than can be understood", () => {
  const lines: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["git status $(rm -rf x)", ["git status", "rm -rf x"]],
    ["git status `rm -rf x`", ["git status", "rm -rf x"]],
    ['git status "$(rm -rf x)"', ["git status", "rm -rf x"]],
    ["git status $HOME", ["git status"]],
    ["git status > file", ["git status"]],
    ["git status 2>&1", ["git status"]],
    ["git status < file", ["git status"]],
    ["diff <(rm x) y", ["diff y", "rm x"]],
    ["git status &", ["git status"]],
    ["A=b git status", ["git status"]],
    ["A=b", []],
    ["export A=b", ["export"]],
    ["! git status", ["git status"]],
    ["time git status", ["git status"]],
    ["(rm x)", ["rm x"]],
    ["{ rm x; }", ["rm x"]],
    ["if true; then rm x; fi", ["true", "rm x"]],
    ["for a in b; do rm $a; done", ["rm"]],
    ["f() { rm x; }", ["rm x"]],
    ["$cmd x", []],
    ["*/git status", []],
    ["'git status' x", []],
    ["~/bin/git status", []],
    ["git ~/x", ["git"]],
    ["git {a,b}", ["git"]],
    ["git $'a'", ["git"]],
    ["[[ -f a ]]", []],
    ["cat <<E\n$(rm x)\nE", ["cat", "rm x"]],
    ["git status 'open", ["git status"]],
    ["git status )", ["git status"]],
    ["git status\u0000", []],
    ["git status\r", []],
    [`git ${"x".repeat(9_000)}`, []],
    ["(".repeat(5_000), []]
  ]
  for (const [line, commands] of lines) {
    it.effect(JSON.stringify(line.slice(0, 40)), () =>
      Effect.map(ShellCommands.of(line), (found) => {
        expect(found.isWhole).toBe(false)
        for (const command of commands) expect(found.commands.join("\n")).toContain(command)
      })
    )
  }
})

/** Prints the words of each command that bash would run; with an empty PATH it finds none of them. */
const recorder = `
PATH=
set -f
command_not_found_handle() { printf '%s\\0' "$@" >&3; printf '\\n\\0' >&3; return 0; }
for line in "$@"; do ( eval "$line" ) >/dev/null 2>&1 </dev/null; printf '\\f\\0' >&3; done
`

const withoutQuotes = (command: string) =>
  command.replaceAll(/(?<![\w'])'((?:[^']|'\\'')*)'/g, (_, inside: string) => inside.replaceAll(`'\\''`, "'"))

describe("bash", () => {
  it.effect("runs only the commands that were found in a line that is whole", () =>
    Effect.gen(function* () {
      const token = FastCheck.constantFrom(
        ..."git rm a ' \" \\ ; && || | $ ` ( ) { } < > # ~ * = ! é & [ ] - ,".split(" "),
        " ",
        " ",
        "\n",
        "\t",
        "\u00a0"
      )
      const line = FastCheck.array(token, { minLength: 1, maxLength: 12 }).map((tokens) => tokens.join(""))
      const found = yield* Effect.forEach(FastCheck.sample(line, 3_000), (line) =>
        Effect.map(ShellCommands.of(line), (commands) => ({ line, ...commands }))
      )
      const whole = found.filter(({ commands, isWhole }) => isWhole && commands.length > 0).slice(0, 100)
      expect(whole.length).toBeGreaterThan(60)
      const folder = mkdtempSync(join(tmpdir(), "skein-bash-"))
      const args = ["--norc", "--noprofile", "-c", `exec 3>&1\n${recorder}`, "bash", ...whole.map(({ line }) => line)]
      const printed = execFileSync("bash", args, { cwd: folder, env: {}, encoding: "utf8" })
      const runs = printed.split("\f\0").slice(0, -1)
      expect(runs).toHaveLength(whole.length)
      whole.forEach(({ commands, line }, index) => {
        const found = commands.map(withoutQuotes)
        for (const command of (runs[index] ?? "").split("\n\0").slice(0, -1)) {
          const words = command.split("\0").slice(0, -1)
          expect(found, JSON.stringify({ line, words })).toContain(words.join(" "))
        }
      })
      expect(readdirSync(folder)).toEqual([])
      rmSync(folder, { recursive: true })
    })
  )
})
