import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck, Option, Schema } from "effect"
import { readFileSync } from "node:fs"
import nodePath from "node:path"
import * as WorkspacePath from "../../../src/domain/WorkspacePath.js"
import { PathRefusal } from "../../../src/domain/path/PathRefused.js"

const Platform = Schema.Literal("posix", "win32")
const Why = Schema.Struct({ why: Schema.String })
const Refused = Schema.Struct({ refused: PathRefusal })

const rule = <Rule extends string, Input extends Schema.Struct.Fields, A, I>(
  name: Rule,
  input: Input,
  answer: Schema.Schema<A, I>
) =>
  Schema.Struct({
    rule: Schema.Literal(name),
    platform: Platform,
    input: Schema.Struct(input),
    expect: Schema.Union(answer, Refused),
    ...Why.fields
  })

const Case = Schema.Union(
  rule("isRooted", { path: Schema.String }, Schema.Union(Schema.Boolean, Schema.Literal("drive-relative"))),
  rule("resolve", { base: Schema.String, path: Schema.String }, Schema.String),
  rule("isInside", { root: Schema.String, path: Schema.String }, Schema.Boolean),
  rule("resolveInside", { workspace: Schema.String, path: Schema.String }, Schema.String),
  rule("relativeInside", { workspace: Schema.String, path: Schema.String }, Schema.String),
  rule("repositoryMarkers", { start: Schema.String }, Schema.Array(Schema.String)),
  rule("repositoryRoot", { start: Schema.String, existing: Schema.Array(Schema.String) }, Schema.NullOr(Schema.String))
)

const cases = Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Case)))(
  readFileSync(new URL("../../support/fixtures/path-cases.json", import.meta.url), "utf8")
)

const answer = <A>(result: Either.Either<A, WorkspacePath.PathRefused>) =>
  Either.getOrElse(result, (refusal) => ({ refused: refusal.reason }))

const answerTo = (given: typeof Case.Type) => {
  switch (given.rule) {
    case "isRooted":
      return WorkspacePath.isRooted(given.platform, given.input.path)
    case "resolve":
      return answer(WorkspacePath.resolve(given.platform, given.input))
    case "isInside":
      return answer(WorkspacePath.isInside(given.platform, { workspace: given.input.root, path: given.input.path }))
    case "resolveInside":
      return answer(WorkspacePath.resolveInside(given.platform, given.input))
    case "relativeInside":
      return answer(WorkspacePath.relativeInside(given.platform, given.input))
    case "repositoryMarkers":
      return answer(WorkspacePath.repositoryMarkers(given.platform, given.input.start))
    case "repositoryRoot":
      return answer(Either.map(WorkspacePath.repositoryRoot(given.platform, given.input), Option.getOrNull))
  }
}

describe("WorkspacePath cases", () => {
  for (const given of cases) {
    it(`${given.platform} ${given.rule} ${JSON.stringify(given.input)}: ${given.why}`, () => {
      expect(answerTo(given)).toStrictEqual(given.expect)
    })
  }
})

describe("PathRefused", () => {
  it("P12 names the path as given and the reason", () => {
    const refusal = WorkspacePath.resolveInside("posix", { workspace: "/proj", path: "../x" }).pipe(
      Either.flip,
      Either.getOrThrow
    )
    expect(refusal).toMatchObject({ _tag: "PathRefused", path: "../x", reason: "outside" })
    expect(refusal.message).toBe('Path "../x" is refused: it is outside the workspace')
  })

  it("names the workspace when that is at fault", () => {
    const refusal = Either.flip(WorkspacePath.resolveInside("win32", { workspace: "C:proj", path: "x" }))
    expect(Either.getOrThrow(refusal)).toMatchObject({ path: "C:proj", reason: "drive-relative" })
  })

  it("shows control characters escaped", () => {
    const refusal = Either.flip(WorkspacePath.resolve("posix", { base: "/", path: "\u001b]52;\0" }))
    expect(Either.getOrThrow(refusal).message).toContain('"\\u001b]52;\\u0000"')
  })
})

const segment = FastCheck.oneof(
  { weight: 9, arbitrary: FastCheck.constantFrom("..", ".", "", "a", "B", "proj", "PROJ", "proj2") },
  {
    weight: 3,
    arbitrary: FastCheck.constantFrom(
      "...",
      ".. ",
      " ",
      "a.",
      "a .",
      "con",
      "nul.txt",
      "x:y",
      "C:",
      "?",
      "UNC",
      "é",
      "\0",
      "\ud800"
    )
  },
  { weight: 1, arbitrary: FastCheck.string({ unit: "binary", maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: FastCheck.string({ unit: FastCheck.constantFrom(".", "/", "\\", ":", "?", " ", "a", "C"), maxLength: 6 })
  }
)

const joined = (prefixes: ReadonlyArray<string>) =>
  FastCheck.tuple(
    FastCheck.constantFrom(...prefixes),
    FastCheck.array(FastCheck.tuple(segment, FastCheck.constantFrom("/", "\\")), { maxLength: 8 })
  ).map(([prefix, parts]) => prefix + parts.map(([name, separator]) => name + separator).join(""))

const workspaces = {
  posix: ["/", "/proj", "/proj/app", "/é/x y"],
  win32: [
    "C:\\",
    "C:\\proj",
    "c:/proj/app",
    "C:\\Été",
    "\\\\srv\\share",
    "\\\\srv\\share\\w",
    "\\\\?\\C:\\proj",
    "\\\\?\\UNC\\srv\\share\\w"
  ]
} as const

const spellings = {
  posix: ["", "/", "//", "/proj/", "/proj/app/", "/é/x y/", "../"],
  win32: [
    "",
    "/",
    "\\",
    "\\\\",
    "C:",
    "C:\\",
    "c:/PROJ/",
    "C:\\proj\\app\\",
    "D:\\",
    "\\\\SRV/share\\",
    "\\\\srv\\share\\w\\",
    "\\\\?\\",
    "\\\\?\\c:\\",
    "\\\\?\\C:\\proj\\",
    "//?/C:/proj/",
    "\\\\?\\UNC\\srv\\Share\\",
    "\\\\.\\",
    "\\??\\"
  ]
} as const

const inPlatform = (platform: WorkspacePath.Platform) =>
  FastCheck.record({
    platform: FastCheck.constant(platform),
    workspace: FastCheck.constantFrom(...workspaces[platform]),
    path: joined(spellings[platform])
  })

const anywhere = FastCheck.oneof(inPlatform("posix"), inPlatform("win32"))

// How the oracle reads a printed path: its volume without the verbatim prefix, then its names.
const namesOf = (platform: WorkspacePath.Platform, absolute: string): ReadonlyArray<string> => {
  const plain = absolute.replace(/^\\\\\?\\UNC\\/, "\\\\").replace(/^\\\\\?\\/, "")
  const { root } = nodePath[platform].parse(platform === "posix" ? absolute : plain)
  const rest = (platform === "posix" ? absolute : plain).slice(root.length)
  return [root, ...rest.split(nodePath[platform].sep).filter((name) => name !== "")]
}

const fastCheck = { fastCheck: { numRuns: 2000 } }

describe("WorkspacePath properties", () => {
  it.prop(
    "a path resolved inside begins with the workspace's names and has no `.`, `..` or empty name",
    [anywhere],
    ([{ platform, workspace, path }]) => {
      const resolved = WorkspacePath.resolveInside(platform, { workspace, path })
      if (Either.isLeft(resolved)) return
      const root = namesOf(platform, nodePath[platform].normalize(workspace))
      const names = namesOf(platform, resolved.right)
      expect(names.slice(0, root.length)).toStrictEqual(root)
      expect(names.slice(1).filter((name) => name === "." || name === "..")).toStrictEqual([])
      expect(nodePath[platform].normalize(resolved.right)).toBe(resolved.right)
    },
    fastCheck
  )

  it.prop(
    "a path resolved inside on win32 has no name that Windows would read differently",
    [inPlatform("win32")],
    ([{ workspace, path }]) => {
      const resolved = WorkspacePath.resolveInside("win32", { workspace, path })
      if (Either.isLeft(resolved)) return
      for (const name of namesOf("win32", resolved.right).slice(1)) {
        expect(name).not.toMatch(/[. ]$|[:/\0]/)
        expect(name).not.toMatch(/^(con|nul)(\.|$)/i)
      }
    },
    fastCheck
  )

  it.prop(
    "resolveInside accepts exactly the paths of valid Unicode that isInside accepts",
    [anywhere],
    ([{ platform, workspace, path }]) => {
      const resolved = WorkspacePath.resolveInside(platform, { workspace, path })
      const inside = WorkspacePath.isInside(platform, { workspace, path })
      if (Either.isRight(resolved)) expect(inside).toStrictEqual(Either.right(true))
      else if (resolved.left.reason === "outside") expect(inside).toStrictEqual(Either.right(false))
      else if (resolved.left.reason !== "lone-surrogate") expect(inside).toStrictEqual(Either.left(resolved.left))
    },
    fastCheck
  )

  it.prop(
    "a resolved path resolves to itself, from any base",
    [anywhere, FastCheck.nat()],
    ([{ platform, workspace, path }, pick]) => {
      const resolved = WorkspacePath.resolve(platform, { base: workspace, path })
      if (Either.isLeft(resolved)) return
      const bases = workspaces[platform]
      const base = bases[pick % bases.length] ?? workspace
      expect(WorkspacePath.resolve(platform, { base, path: resolved.right })).toStrictEqual(resolved)
    },
    fastCheck
  )

  it.prop(
    "a path made relative and resolved again is the same path",
    [anywhere],
    ([{ platform, workspace, path }]) => {
      const relative = WorkspacePath.relativeInside(platform, { workspace, path })
      const resolved = WorkspacePath.resolveInside(platform, { workspace, path })
      if (Either.isLeft(relative)) {
        expect(resolved).toStrictEqual(relative)
        return
      }
      expect(WorkspacePath.isRooted(platform, relative.right)).toBe(false)
      expect(WorkspacePath.resolveInside(platform, { workspace, path: relative.right })).toStrictEqual(resolved)
    },
    fastCheck
  )

  it.prop(
    "`..` never escapes: one more than the path has names is outside, or stays at the volume root",
    [
      FastCheck.constantFrom<WorkspacePath.Platform>("posix", "win32"),
      FastCheck.array(FastCheck.constantFrom("a", "b c", "..x"), { maxLength: 5 }),
      FastCheck.integer({ min: 1, max: 12 })
    ],
    ([platform, names, climbs]) => {
      const path = [...names, ...Array.from({ length: climbs }, () => "..")].join("/")
      for (const workspace of workspaces[platform]) {
        const inside = WorkspacePath.isInside(platform, { workspace, path })
        const depth = namesOf(platform, nodePath[platform].normalize(workspace)).length - 1
        expect(inside).toStrictEqual(Either.right(depth === 0 || climbs <= names.length))
      }
    },
    fastCheck
  )

  it.prop(
    "win32 ignores the case of ASCII letters, posix does not",
    [FastCheck.stringMatching(/^[a-z]{1,6}$/), FastCheck.stringMatching(/^[a-z]{1,6}$/)],
    ([folder, file]) => {
      const windows = { workspace: `C:\\w${folder}`, path: `c:\\W${folder.toUpperCase()}\\x${file}` }
      expect(WorkspacePath.resolveInside("win32", windows)).toStrictEqual(Either.right(`C:\\w${folder}\\x${file}`))
      const posix = { workspace: `/w${folder}`, path: `/W${folder.toUpperCase()}/x${file}` }
      expect(WorkspacePath.isInside("posix", posix)).toStrictEqual(Either.right(false))
    }
  )

  it.prop(
    "win32 comparison of names is symmetric and keeps different lengths apart",
    [FastCheck.string({ unit: "binary", minLength: 1, maxLength: 4 }), FastCheck.func(FastCheck.boolean())],
    ([name, flips]) => {
      const other = Array.from(name)
        .map((unit) => (flips(unit) ? unit.toUpperCase() : unit.toLowerCase()))
        .join("")
      const one = WorkspacePath.isInside("win32", { workspace: `C:\\x${name}x`, path: `C:\\x${other}x` })
      const back = WorkspacePath.isInside("win32", { workspace: `C:\\x${other}x`, path: `C:\\x${name}x` })
      if (Either.isLeft(one) || Either.isLeft(back)) return
      expect(one.right).toBe(back.right)
      if (name.length !== other.length && !/[\\/]/.test(name)) expect(one.right).toBe(false)
    },
    fastCheck
  )

  it("win32 equates no two code units that lower or upper case keeps apart", () => {
    const joinedUnits: Array<string> = []
    for (let code = 0; code <= 0xffff; code++) {
      const unit = String.fromCharCode(code)
      for (const other of [unit.toLowerCase(), unit.toUpperCase()]) {
        if (other === unit) continue
        const inside = WorkspacePath.isInside("win32", { workspace: `C:\\x${unit}`, path: `C:\\x${other}` })
        if (!Either.getOrThrow(inside)) continue
        joinedUnits.push(unit)
        expect(unit.toLowerCase()).toBe(other.toLowerCase())
        expect(unit.toUpperCase()).toBe(other.toUpperCase())
      }
    }
    expect(joinedUnits).toEqual(expect.arrayContaining(["a", "Z", "é", "Ÿ", "ω", "Я"]))
    expect(joinedUnits).not.toEqual(expect.arrayContaining(["\u212a"]))
  })

  it.prop(
    "posix resolves as Node does",
    [inPlatform("posix")],
    ([{ workspace, path }]) => {
      const resolved = WorkspacePath.resolve("posix", { base: workspace, path })
      if (path.includes("\0")) expect(resolved).toMatchObject({ left: { reason: "nul-byte" } })
      else expect(resolved).toStrictEqual(Either.right(nodePath.posix.resolve(workspace, path)))
    },
    fastCheck
  )

  it.prop(
    "win32 resolves plain paths as Node does if at all, except for trailing dots and spaces",
    [inPlatform("win32")],
    ([{ workspace, path }]) => {
      if (
        workspace.startsWith("\\\\?") ||
        /^[\\/]{2}\?/.test(path) ||
        /[. ]+(?=[\\/]|$)/.test(path.replace(/(^|[\\/])\.\.?(?=[\\/]|$)/g, "$1"))
      )
        return
      const resolved = WorkspacePath.resolve("win32", { base: workspace, path })
      if (Either.isLeft(resolved)) return
      expect(resolved.right).toBe(nodePath.win32.resolve(workspace, path))
    },
    fastCheck
  )

  it.prop(
    "a repository lies at or above its start, never at the volume root, and only at a marker",
    [anywhere, FastCheck.nat()],
    ([{ platform, workspace, path }, pick]) => {
      const start = WorkspacePath.resolve(platform, { base: workspace, path })
      if (Either.isLeft(start)) return
      const markers = Either.getOrThrow(WorkspacePath.repositoryMarkers(platform, start.right))
      expect(markers).toHaveLength(namesOf(platform, start.right).length - 1)
      const existing = markers.slice(markers.length === 0 ? 0 : pick % markers.length)
      const root = Either.getOrThrow(WorkspacePath.repositoryRoot(platform, { start: start.right, existing }))
      const expected = existing.slice(0, 1).map((marker) => marker.slice(0, -".git".length - 1))
      expect(Option.toArray(root)).toStrictEqual(expected)
      for (const folder of expected) {
        expect(WorkspacePath.isInside(platform, { workspace: folder, path: start.right })).toStrictEqual(
          Either.right(true)
        )
      }
    },
    fastCheck
  )
})
