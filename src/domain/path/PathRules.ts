/**
 * The rules of a platform for paths, and the arithmetic that is the same on every platform. A parsed path has an
 * anchor and segments; an absolute path has a volume and names, none of which is empty, `.` or `..`.
 */
import type { Either } from "effect"
import type { PathRefusal, PathRefused } from "./PathRefused.js"

/** A drive, a share, or the one tree of posix. */
export interface Volume {
  /** Its root as it is printed, with the separator at the end: `/`, `C:\`, `\\server\share\`, `\\?\C:\`. */
  readonly root: string
  /** Distinguishes it from other volumes, however its root is spelled. */
  readonly id: string
}

export interface ParsedPath {
  /** Where the segments start: at a volume's root, at the root of the base's volume, or at the base. */
  readonly anchor: Volume | "root" | "base"
  /** In order, including `..`. */
  readonly segments: ReadonlyArray<string>
}

export interface AbsolutePath {
  readonly volume: Volume
  readonly names: ReadonlyArray<string>
}

export interface PathRules {
  readonly separator: string
  readonly isRooted: (path: string) => boolean | "drive-relative"
  /** Takes apart a path without NUL bytes, or returns why it must not be read at all. */
  readonly parse: (path: string) => Either.Either<ParsedPath, PathRefusal>
  readonly isSameName: (one: string, other: string) => boolean
}

/** The result of a rule that may refuse. */
export type CheckedPath<A> = Either.Either<A, PathRefused>

/** Walks the segments from the names of `from`; `..` at the volume's root stays there. */
export const descend = (from: AbsolutePath, segments: ReadonlyArray<string>): AbsolutePath => {
  const names = [...from.names]
  for (const segment of segments) {
    if (segment === "..") names.pop()
    else names.push(segment)
  }
  return { volume: from.volume, names }
}

export const print = (rules: PathRules, { volume, names }: AbsolutePath): string =>
  volume.root + names.join(rules.separator)

/** Whether `path` is `ancestor` or lies below it, compared name by name. */
export const isAtOrBelow = (rules: PathRules, ancestor: AbsolutePath, path: AbsolutePath): boolean =>
  rules.isSameName(ancestor.volume.id, path.volume.id) &&
  ancestor.names.every((name, index) => rules.isSameName(name, path.names[index] ?? ""))
