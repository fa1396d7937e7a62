/**
 * Path rules of Windows. Every spelling that Windows and other programs might read as different files is refused, so
 * what is accepted and printed again names one file: no streams, no device names, no trailing dots or spaces.
 *
 * Not known from the text: 8.3 short names and administrative shares (compared as different places), folders with
 * case-sensitive names (compared without case all the same). Characters that Windows forbids in names are left to it.
 */
import { Either } from "effect"
import type { PathRefusal } from "./PathRefused.js"
import type { ParsedPath, PathRules, Volume } from "./PathRules.js"

interface PathLocation {
  readonly anchor: ParsedPath["anchor"]
  readonly tail: string
  /** Spelled with the exact prefix `\\?\`, after which Windows reads every character literally. */
  readonly literal: boolean
}

const verbatimPrefix = "\\\\?\\"

const drive = (prefix: string, letter: string): Volume => ({ root: `${prefix}${letter}\\`, id: letter })

const share = (prefix: string, server: string, name: string): Either.Either<Volume, PathRefusal> => {
  const refusal = refusalOfName(server) ?? refusalOfName(name)
  return refusal === undefined
    ? Either.right({ root: `${prefix}${server}\\${name}\\`, id: `\\\\${server}\\${name}` })
    : Either.left(refusal)
}

const locateVerbatim = (path: string): Either.Either<PathLocation, PathRefusal> => {
  const literal = path.startsWith(verbatimPrefix)
  if (literal && path.includes("/")) return Either.left("verbatim")
  const spelled = path.replaceAll("/", "\\")
  if (!spelled.startsWith(verbatimPrefix)) return Either.left("device-path")
  const rest = spelled.slice(verbatimPrefix.length)
  const onDrive = /^([A-Za-z]:)\\/.exec(rest)
  if (onDrive !== null) {
    const [matched, letter = ""] = onDrive
    return Either.right({ anchor: drive(verbatimPrefix, letter), tail: rest.slice(matched.length), literal })
  }
  const onShare = /^UNC\\([^\\]+)\\([^\\]+)(?:\\|$)/i.exec(rest)
  if (onShare === null) return Either.left("device-path")
  const [matched, server = "", name = ""] = onShare
  return Either.map(share(`${verbatimPrefix}UNC\\`, server, name), (anchor) => ({
    anchor,
    tail: rest.slice(matched.length),
    literal
  }))
}

const locate = (path: string): Either.Either<PathLocation, PathRefusal> => {
  if (/^[\\/]{2}[.?](?:[\\/]|$)/.test(path)) return locateVerbatim(path)
  if (/^[\\/]\?\?(?:[\\/]|$)/.test(path)) return Either.left("device-path")
  const onShare = /^[\\/]{2}([^\\/]+)[\\/]+([^\\/]+)/.exec(path)
  if (onShare !== null) {
    const [matched, server = "", name = ""] = onShare
    return Either.map(share("\\\\", server, name), (anchor) => ({
      anchor,
      tail: path.slice(matched.length),
      literal: false
    }))
  }
  const rooted = isRooted(path)
  if (rooted === "drive-relative") return Either.left("drive-relative")
  if (rooted && /^[A-Za-z]/.test(path)) {
    return Either.right({ anchor: drive("", path.slice(0, 2)), tail: path.slice(2), literal: false })
  }
  return Either.right({ anchor: rooted ? "root" : "base", tail: path, literal: false })
}

const isRooted = (path: string): boolean | "drive-relative" => {
  if (/^(?:[A-Za-z]:)?[\\/]/.test(path)) return true
  return /^[A-Za-z]:/.test(path) ? "drive-relative" : false
}

const withoutTrailingDotsAndSpaces = (name: string): string => {
  let end = name.length
  while (end > 0 && (name[end - 1] === "." || name[end - 1] === " ")) end--
  return name.slice(0, end)
}

const reservedName = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9¹²³]) *(?:\.|$)/i

const refusalOfName = (name: string): PathRefusal | undefined => {
  if (name.includes(":")) return "stream"
  if (withoutTrailingDotsAndSpaces(name) === "") return "dot-space-segment"
  return reservedName.test(name) ? "reserved-name" : undefined
}

const segmentsOfLiteral = (tail: string): Either.Either<ReadonlyArray<string>, PathRefusal> => {
  const spelled = tail.split("\\")
  const segments = spelled.at(-1) === "" ? spelled.slice(0, -1) : spelled
  const isReadAlike = segments.every((segment) => segment !== "" && withoutTrailingDotsAndSpaces(segment) === segment)
  return isReadAlike ? namesOf(segments) : Either.left("verbatim")
}

const segmentsOf = (tail: string): Either.Either<ReadonlyArray<string>, PathRefusal> =>
  namesOf(tail.split(/[\\/]/).filter((segment) => segment !== "" && segment !== "."))

const namesOf = (segments: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, PathRefusal> => {
  const names: Array<string> = []
  for (const segment of segments) {
    const refusal = segment === ".." ? undefined : refusalOfName(segment)
    if (refusal !== undefined) return Either.left(refusal)
    names.push(segment === ".." ? segment : withoutTrailingDotsAndSpaces(segment))
  }
  return Either.right(names)
}

// NTFS folds one code unit at a time, by a table as old as the volume. These letters are in all such tables, and both
// foldings of JavaScript join the same pairs of them. Others, such as the Kelvin sign, would join what NTFS keeps apart.
const foldable = /[\0-\u017f\u0386-\u03ce\u0400-\u0481\u0490-\u04bf\u0531-\u0556\u0561-\u0586]/

const isSameUnit = (one: string, other: string): boolean =>
  one === other || (foldable.test(one) && foldable.test(other) && one.toLowerCase() === other.toLowerCase())

const isSameName = (one: string, other: string): boolean => {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index++) {
    if (!isSameUnit(one.charAt(index), other.charAt(index))) return false
  }
  return true
}

export const windowsPath: PathRules = {
  separator: "\\",
  isRooted,
  parse: (path) =>
    Either.flatMap(locate(path), ({ anchor, tail, literal }) =>
      Either.map(literal ? segmentsOfLiteral(tail) : segmentsOf(tail), (segments) => ({ anchor, segments }))
    ),
  isSameName
}
