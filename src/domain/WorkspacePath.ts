/**
 * Determines where a path lies, for either platform on any host, from its text alone.
 *
 * Guaranteed: an accepted path is absolute and normalised (one separator, no `.`, no `..`, no trailing separator but a
 * volume root's), has the workspace as a prefix name by name, and is read by the system as it was read here.
 *
 * Not guaranteed: what is on the disk. A symlink, a junction or a mount can still lead out of the workspace, and `a/..`
 * is taken as the text has it, wherever `a` points. Code that opens a file checks again what was opened. Nothing is
 * decoded or expanded: `%2e`, `~` and spaces at the ends are plain characters.
 */
import { Array as Arr, Either, Option } from "effect"
import { PathRefused } from "./path/PathRefused.js"
import type { PathRefusal } from "./path/PathRefused.js"
import { descend, isAtOrBelow, print } from "./path/PathRules.js"
import type { AbsolutePath, CheckedPath, ParsedPath, PathRules } from "./path/PathRules.js"
import { posixPath } from "./path/PosixPath.js"
import { windowsPath } from "./path/WindowsPath.js"

export { PathRefused } from "./path/PathRefused.js"

export type Platform = "posix" | "win32"

/** A path from outside, relative to the workspace or rooted, and the absolute path of the workspace. */
interface InWorkspace {
  readonly workspace: string
  readonly path: string
}

const rulesOf: Record<Platform, PathRules> = { posix: posixPath, win32: windowsPath }

const refuse = (path: string, reason: PathRefusal) => Either.left(new PathRefused({ path, reason }))

const parse = (rules: PathRules, path: string): CheckedPath<ParsedPath> =>
  path.includes("\0")
    ? refuse(path, "nul-byte")
    : Either.mapLeft(rules.parse(path), (reason) => new PathRefused({ path, reason }))

const parseAbsolute = (rules: PathRules, path: string): CheckedPath<AbsolutePath> =>
  Either.flatMap(parse(rules, path), ({ anchor, segments }) =>
    anchor === "root" || anchor === "base"
      ? refuse(path, "not-absolute")
      : Either.right(descend({ volume: anchor, names: [] }, segments))
  )

const resolveParsed = (base: AbsolutePath, { anchor, segments }: ParsedPath): AbsolutePath => {
  if (anchor === "base") return descend(base, segments)
  return descend({ volume: anchor === "root" ? base.volume : anchor, names: [] }, segments)
}

const resolveFrom = (rules: PathRules, base: AbsolutePath, path: string): CheckedPath<AbsolutePath> =>
  Either.map(parse(rules, path), (parsed) => resolveParsed(base, parsed))

/**
 * Whether the path starts at a root instead of at a working directory. A path that starts with a separator is rooted on
 * Windows too, although it names no drive. `C:x` is neither and returns `"drive-relative"`. Refuses nothing.
 */
export const isRooted = (platform: Platform, path: string): boolean | "drive-relative" =>
  rulesOf[platform].isRooted(path)

/**
 * Returns the absolute, normalised path that `path` names from the absolute `base`; the result may lie anywhere. The
 * empty path names the base, a rooted path without a drive is taken from the root of the base's volume, and `..` stops
 * at that root. Fails with `PathRefused` when either of the two is refused, or `base` is not absolute.
 */
export const resolve = (
  platform: Platform,
  input: { readonly base: string; readonly path: string }
): CheckedPath<string> => {
  const rules = rulesOf[platform]
  return Either.gen(function* () {
    const base = yield* parseAbsolute(rules, input.base)
    return print(rules, yield* resolveFrom(rules, base, input.path))
  })
}

/**
 * Whether the path, resolved against the workspace, is the workspace or lies below it. Fails with `PathRefused` when
 * either of the two cannot be judged. For a path that will be opened, use `resolveInside` and open what it returns.
 */
export const isInside = (platform: Platform, input: InWorkspace): CheckedPath<boolean> => {
  const rules = rulesOf[platform]
  return Either.gen(function* () {
    const workspace = yield* parseAbsolute(rules, input.workspace)
    return isAtOrBelow(rules, workspace, yield* resolveFrom(rules, workspace, input.path))
  })
}

const placeInside = (
  rules: PathRules,
  input: InWorkspace
): CheckedPath<{ readonly workspace: AbsolutePath; readonly below: ReadonlyArray<string> }> =>
  Either.gen(function* () {
    for (const path of [input.workspace, input.path]) {
      if (/\p{Surrogate}/u.test(path)) return yield* refuse(path, "lone-surrogate")
    }
    const workspace = yield* parseAbsolute(rules, input.workspace)
    const resolved = yield* resolveFrom(rules, workspace, input.path)
    if (!isAtOrBelow(rules, workspace, resolved)) return yield* refuse(input.path, "outside")
    return { workspace, below: resolved.names.slice(workspace.names.length) }
  })

/**
 * Returns the absolute, normalised path to open: the workspace as it is spelled in `input.workspace`, then the names
 * below it. Fails with `PathRefused` when the path leaves the workspace (`outside`), is not valid Unicode
 * (`lone-surrogate`), or cannot be judged; `workspace` must follow the same rules and be absolute.
 */
export const resolveInside = (platform: Platform, input: InWorkspace): CheckedPath<string> => {
  const rules = rulesOf[platform]
  return Either.map(placeInside(rules, input), ({ workspace, below }) => print(rules, descend(workspace, below)))
}

/**
 * Returns the path from the workspace down, with `/` between names on both platforms, for lists and patterns; `"."` for
 * the workspace itself. Resolving it again leads to the same file. Fails as `resolveInside` does.
 */
export const relativeInside = (platform: Platform, input: InWorkspace): CheckedPath<string> =>
  Either.map(placeInside(rulesOf[platform], input), ({ below }) => (below.length === 0 ? "." : below.join("/")))

const marker = ".git"

const ancestors = (path: AbsolutePath): ReadonlyArray<AbsolutePath> =>
  path.names.map((_, index) => ({ volume: path.volume, names: path.names.slice(0, path.names.length - index) }))

/**
 * Returns the absolute paths at which a `.git` (file or folder) would make an ancestor of `start`, or `start` itself, a
 * repository, nearest first. The volume root has none. Fails with `PathRefused` when `start` is refused or not absolute.
 */
export const repositoryMarkers = (platform: Platform, start: string): CheckedPath<ReadonlyArray<string>> => {
  const rules = rulesOf[platform]
  return Either.map(parseAbsolute(rules, start), (path) =>
    ancestors(path).map((folder) => print(rules, descend(folder, [marker])))
  )
}

/**
 * Returns the nearest ancestor of `start`, or `start` itself, that holds one of the `existing` paths as its `.git`;
 * spelled as `start` is. None when no folder below the volume root does. Fails with `PathRefused` when a path is
 * refused or not absolute.
 */
export const repositoryRoot = (
  platform: Platform,
  input: { readonly start: string; readonly existing: ReadonlyArray<string> }
): CheckedPath<Option.Option<string>> => {
  const rules = rulesOf[platform]
  return Either.gen(function* () {
    const start = yield* parseAbsolute(rules, input.start)
    const existing = yield* Either.all(input.existing.map((path) => parseAbsolute(rules, path)))
    const folder = Arr.findFirst(ancestors(start), (candidate) => {
      const expected = descend(candidate, [marker])
      return existing.some((path) => path.names.length === expected.names.length && isAtOrBelow(rules, expected, path))
    })
    return Option.map(folder, (found) => print(rules, found))
  })
}
