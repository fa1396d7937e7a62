import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import * as PermissionRule from "../../../src/domain/PermissionRule.js"

const rules = (...lines: ReadonlyArray<string>): ReadonlyArray<PermissionRule.Rule> =>
  lines.map((line) => {
    const [word, ...pattern] = line.split(" ")
    return Schema.decodeUnknownSync(PermissionRule.Rule)({ word, pattern: pattern.join(" ") })
  })

const shell = (...commands: ReadonlyArray<string>): PermissionRule.Subject => ({
  tool: "shell",
  commands: { commands, isWhole: true },
  paths: [],
  input: "{}"
})

/** A command line that does more than can be determined. */
const unclear = (...commands: ReadonlyArray<string>): PermissionRule.Subject => ({
  ...shell(),
  commands: { commands, isWhole: false }
})

const write = (...paths: ReadonlyArray<string>): PermissionRule.Subject => ({
  tool: "write",
  commands: null,
  paths,
  input: "{}"
})

const other = (tool: string, input: unknown = {}): PermissionRule.Subject => ({
  tool,
  commands: null,
  paths: [],
  input: JSON.stringify(input)
})

describe("judge", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, PermissionRule.Subject, PermissionRule.Word | null]> = [
    [[], shell("ls"), null],
    [["allow shell: git status*"], shell("git status"), "allow"],
    [["allow shell: git status*"], shell("git status --short"), "allow"],
    [["allow shell: git status*"], shell("git stash"), null],
    [["allow shell: git status*"], shell("git status", "rm -rf x"), null],
    [["allow shell: git status*", "allow shell: npm test"], shell("git status", "npm test"), "allow"],
    [["allow shell: git status*"], unclear("git status"), null],
    [["allow shell"], unclear("git status"), "allow"],
    [["allow shell", "deny shell: rm *"], unclear("git status"), "ask"],
    [["allow shell", "deny shell: rm *"], unclear("rm -rf x"), "deny"],
    [["allow shell", "deny shell: rm *"], shell("ls", "rm -rf x"), "deny"],
    [["allow shell", "ask shell: git push*"], shell("git push"), "ask"],
    [["ask shell: git push*", "deny shell: git push --force*"], shell("git push --force"), "deny"],
    [["allow shell: git status*"], shell(), null],
    [["allow shell: ls \\*"], shell("ls a"), null],
    [["allow shell: ls \\*"], shell("ls *"), "allow"],
    [["allow shell: a?c"], shell("abc"), null],
    [["allow write: docs/**"], write("docs/a/b.md"), "allow"],
    [["allow write: docs/**"], write("docs"), null],
    [["allow write: docs/**"], write("/etc/docs/a"), null],
    [["allow write: docs/*"], write("docs/a/b.md"), null],
    [["allow write: docs/*.md"], write("docs/a.md"), "allow"],
    [["allow write: docs/?.md"], write("docs/a.md"), "allow"],
    [["allow write: docs/?.md"], write("docs//.md"), null],
    [["allow write: **/*.md"], write("a.md"), "allow"],
    [["allow write: **/*.md"], write("docs/b/a.md"), "allow"],
    [["deny write: **/secrets/**/*.pem"], write("secrets/prod/key.pem"), "deny"],
    [["deny write: **/secrets/**/*.pem"], write("x/secrets/key.pem"), "deny"],
    [["deny write: **/secrets/**/*.pem"], write("x/secretskey.pem"), null],
    [["allow write: \\**/a"], write("a"), null],
    [["allow write: \\**/a"], write("*b/a"), "allow"],
    [["allow shell: **/a"], shell("a"), null],
    [["deny write: docs/*"], write("/other/name/docs/a"), "deny"],
    [["ask write: docs/*"], write("C:/other/name/docs/a"), "ask"],
    [["deny write: docs/*"], write("/other/mydocs/a"), null],
    [["deny write: docs/*"], write("other/docs/a"), null],
    [["deny write: docs"], write("docs/a/b"), "deny"],
    [["deny write: docs/"], write("docs/a/b"), "deny"],
    [["ask write: docs"], write("docs/a"), "ask"],
    [["deny write: docs"], write("docs.md"), null],
    [["deny write: docs/a"], write("docs"), null],
    [["deny write: docs"], write("/other/name/docs/a"), "deny"],
    [["allow write: docs"], write("docs/a"), null],
    [["deny write: **/node_modules"], write("a/node_modules/b/c"), "deny"],
    [["deny shell: rm"], shell("rm/a"), null],
    [["allow write: docs/**"], write("docs/a", "src/b"), null],
    [["allow write: docs/**", "allow write: src/**"], write("docs/a", "src/b"), "allow"],
    [["allow write", "deny write: .env*"], write("docs/a", ".env.local"), "deny"],
    [["allow server__*"], other("server__echo"), "allow"],
    [["allow server__*"], other("other__echo"), null],
    [['allow server__echo: {"a":1*'], other("server__echo", { a: 12 }), "allow"],
    [['allow server__echo: {"a":2*'], other("server__echo", { a: 12 }), null],
    [["allow *"], other("anything"), "allow"],
    [["deny server__echo: *secret*"], other("server__echo", { a: "x".repeat(70_000) }), "ask"]
  ]
  for (const [given, subject, word] of cases) {
    const what = subject.commands?.commands.join("; ") ?? (subject.paths.join(" ") || subject.input.slice(0, 20))
    const name = `[${given.join(", ")}] for ${subject.tool} ${what}${subject.commands?.isWhole === false ? " …" : ""}`
    it(`${name}: ${word ?? "nothing"}`, () => {
      expect(PermissionRule.judge(rules(...given), subject)?.word ?? null).toBe(word)
    })
  }
})

describe("patterns", () => {
  for (const text of [
    "",
    "two words",
    "shell:",
    "shell: a\nb",
    "shell: a\u001bb",
    "x".repeat(1_001),
    "*".repeat(33),
    "tool.name"
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(Schema.is(PermissionRule.Pattern)(text)).toBe(false)
    })
  }

  it.prop(
    "the pattern for a call covers it and no other",
    [Schema.Array(Schema.String).pipe(Schema.maxItems(2)), Schema.String, Schema.Literal("shell", "write", "x")],
    ([texts, another, tool]) => {
      const subjectOf = (texts: ReadonlyArray<string>) =>
        tool === "shell" ? shell(...texts) : tool === "write" ? write(...texts) : other(tool, texts)
      const subject = subjectOf(texts)
      const pattern = PermissionRule.patternFor(subject)
      if (pattern === null) return
      const rule: PermissionRule.Rule = { word: "allow", pattern }
      expect(PermissionRule.judge([rule], subject)?.word).toBe("allow")
      const isSame = tool === "x" || (tool === "write" && texts.length === 0) || texts[0] === another
      if (!isSame) expect(PermissionRule.judge([rule], subjectOf([another]))).toBeNull()
    },
    { fastCheck: { examples: [[["notes "], "notes", "write"]] } }
  )
})

describe("patterns of paths", () => {
  const wilds: Readonly<Record<string, string>> = { "**/": "(?:[^]*/)?", "**": "[^]*", "*": "[^/]*", "?": "[^/]" }
  const tokens = [...Object.keys(wilds), "a", "b", "/", "\\*", "\\?"]
  const texts = (minLength: number, ...from: ReadonlyArray<string>) =>
    FastCheck.array(FastCheck.constantFrom(...from), { minLength, maxLength: 8 }).map((parts) => parts.join(""))

  const paths = FastCheck.array(texts(0, "a", "b", "/", "*"), { minLength: 1, maxLength: 4 })

  it.prop(
    "match as their wildcards say, each by itself",
    [texts(1, ...tokens), paths],
    ([pattern, paths]) => {
      const read = Array.from(pattern.matchAll(/\\.|\*\*\/|\*\*|./g), ([token]) => wilds[token] ?? token)
      const named = new RegExp(`^(?:${read.join("")})$`)
      const hides = PermissionRule.hiding([{ word: "deny", pattern: `read: ${pattern}` }], "read")
      for (const path of paths) {
        const judged = PermissionRule.judge([{ word: "allow", pattern: `write: ${pattern}` }], write(path))
        expect(judged?.word === "allow").toBe(named.test(path))
        const above = Array.from(path.matchAll(/\//g), ({ index }) => [path.slice(0, index), path.slice(0, index + 1)])
        const hidden = [path, ...above.flat().filter((folder) => folder !== "")]
        expect(hides?.(path)).toBe(hidden.some((folder) => named.test(folder)))
      }
    },
    { fastCheck: { examples: [["**/a/**/b", ["a/b", "a/b/a", "b", "a/a/b"]]], numRuns: 2_000 } }
  )
})

describe("places", () => {
  const place = (path: string) => PermissionRule.placeOf("/home/me/work", path)
  it("are relative to the session's folder, or absolute outside it", () => {
    expect(["a/b", "./a", "/home/me/work/a", "a/../b", "../other/a", "/etc/passwd"].map(place)).toEqual([
      "a/b",
      "a",
      "a",
      "b",
      "/home/me/other/a",
      "/etc/passwd"
    ])
    expect(PermissionRule.placeOf("C:\\work", "a\\b")).toBe("a/b")
  })
})
