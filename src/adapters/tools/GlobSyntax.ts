/**
 * What the characters of a glob pattern mean. Every text is a pattern: an unclosed bracket is plain text.
 *
 * Guaranteed: the work is bounded by the square of the pattern's length. Which bracket closes which is found in one
 * pass before anything is parsed, so nothing is parsed twice.
 */

/** The kinds of groups, by what opens them. `{` is split at commas, the others at `|`. */
type GroupKind = "{" | "(" | "?(" | "*(" | "+(" | "@(" | "!("

export type Node =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Escape"; readonly text: string }
  | { readonly _tag: "Separator" }
  | { readonly _tag: "Any" }
  /** One `*`, which stays within a name, or several, which may stand for folders. */
  | { readonly _tag: "Star"; readonly isDouble: boolean }
  /** `members` is the inside of a class of a regular expression; `own` is the text in the pattern. */
  | { readonly _tag: "Class"; readonly isNegated: boolean; readonly members: string; readonly own: string }
  | {
      readonly _tag: "Group"
      readonly kind: GroupKind
      readonly branches: ReadonlyArray<Sequence>
      readonly own: string
    }

export type Sequence = ReadonlyArray<Node>

/** Elements of all ranges such as {1..9} together; a range with more elements than are left is plain text. */
const maxElements = 1000

/** How deep groups may be nested; a group around that many levels is plain text. */
const maxDepth = 16

/** The most `!(…)` groups, each of which is searched for again behind those before it; further ones are plain text. */
const maxNegated = 16

const named: Readonly<Record<string, string>> = {
  alnum: "\\p{L}\\p{N}",
  alpha: "\\p{L}",
  ascii: "\\0-\\x7f",
  blank: " \\t",
  cntrl: "\\p{Cc}",
  digit: "0-9",
  graph: "\\p{L}\\p{N}\\p{P}\\p{S}",
  lower: "\\p{Ll}",
  print: "\\p{L}\\p{N}\\p{P}\\p{S}\\p{Zs}",
  punct: "\\p{P}\\p{S}",
  space: "\\s",
  upper: "\\p{Lu}",
  word: "\\w",
  xdigit: "0-9A-Fa-f"
}

const member = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

const classAt = /\[([!^]?)(\]?(?:\\[^]|\[:[a-z]+:\]|[^\]\\/])*)\]/uy
const memberAt = /\[:([a-z]+):\]|(?:\\([^])|([^]))(?:-(?:\\([^])|([^])))?/gu

const membersOf = (inside: string): string =>
  Array.from(inside.matchAll(memberAt), ([whole, name, escaped, plain, escapedEnd, plainEnd]) => {
    if (name !== undefined) return named[name] ?? Array.from(whole, member).join("")
    const from = escaped ?? plain ?? ""
    const to = escapedEnd ?? plainEnd
    if (to === undefined) return member(from)
    return (from.codePointAt(0) ?? 0) <= (to.codePointAt(0) ?? 0) ? `${member(from)}-${member(to)}` : ""
  }).join("")

interface ClassText {
  readonly end: number
  readonly node: Node
}

const readClass = (pattern: string, at: number): ClassText | null => {
  classAt.lastIndex = at
  const match = classAt.exec(pattern)
  if (match === null) return null
  const [own, negation, inside = ""] = match
  return { end: at + own.length, node: { _tag: "Class", isNegated: negation !== "", members: membersOf(inside), own } }
}

/** The end of each closed bracket: the position after its last character. */
type Ends = ReadonlyMap<number, number>

interface Brackets {
  readonly groups: Ends
  readonly classes: ReadonlyMap<number, ClassText>
}

const findBrackets = (pattern: string): Brackets => {
  const groups = new Map<number, number>()
  const classes = new Map<number, ClassText>()
  const open: Array<{ readonly at: number; readonly closing: string; depth: number }> = []
  let negated = 0
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at)
    if (character === "\\") at++
    else if (character === "{") open.push({ at, closing: "}", depth: 1 })
    else if (character === "(") open.push({ at, closing: ")", depth: 1 })
    else if (character === "[") {
      const found = readClass(pattern, at)
      if (found === null) continue
      classes.set(at, found)
      at = found.end - 1
    } else if (character === "}" || character === ")") {
      const index = open.findLastIndex(({ closing }) => closing === character)
      const opening = open[index]
      if (opening === undefined) continue
      const depth = Math.max(...open.slice(index).map((inner) => inner.depth))
      open.length = index
      for (const outer of open.slice(-1)) outer.depth = Math.max(outer.depth, depth + 1)
      if (character === ")" && pattern.charAt(opening.at - 1) === "!" && ++negated > maxNegated) continue
      if (depth <= maxDepth) groups.set(opening.at, at + 1)
    }
  }
  return { groups, classes }
}

const rangeOf = /^(?:(-?\d{1,9})\.\.(-?\d{1,9})|([a-zA-Z])\.\.([a-zA-Z]))(?:\.\.-?(\d{1,9}))?$/

/** The elements of a range such as 1..3, 01..10, a..e or 0..10..5. Empty when it is not a range, or longer than `limit`. */
const elementsOf = (inside: string, limit: number): ReadonlyArray<string> => {
  const match = rangeOf.exec(inside)
  if (match === null) return []
  const [, firstNumber, lastNumber, firstLetter, lastLetter, stepText] = match
  const isNumeric = firstNumber !== undefined && lastNumber !== undefined
  const first = isNumeric ? Number(firstNumber) : (firstLetter ?? "").charCodeAt(0)
  const last = isNumeric ? Number(lastNumber) : (lastLetter ?? "").charCodeAt(0)
  const step = Math.max(1, Number(stepText ?? 1))
  const count = Math.floor(Math.abs(last - first) / step) + 1
  if (count > limit) return []
  const isPadded = isNumeric && [firstNumber, lastNumber].some((text) => /^-?0\d/.test(text))
  const width = isPadded ? Math.max(firstNumber.length, lastNumber.length) : 0
  return Array.from({ length: count }, (_, index) => {
    const value = first + (last >= first ? index : -index) * step
    if (!isNumeric) return String.fromCharCode(value)
    return value < 0 ? `-${String(-value).padStart(width - 1, "0")}` : String(value).padStart(width, "0")
  })
}

const kinds: Readonly<Record<string, GroupKind>> = { "?": "?(", "*": "*(", "+": "+(", "@": "@(", "!": "!(" }

/** The meaning of a pattern's characters, in order. */
export const parse = (pattern: string): Sequence => {
  const { classes, groups } = findBrackets(pattern)
  let elementsLeft = maxElements

  /** The start and end of each branch between two positions, split at a character that is outside of all brackets. */
  const branchesOf = (from: number, to: number, separator: string): ReadonlyArray<readonly [number, number]> => {
    const branches: Array<readonly [number, number]> = []
    let start = from
    for (let at = from; at < to; at++) {
      const character = pattern.charAt(at)
      const end = groups.get(at) ?? classes.get(at)?.end
      if (character === "\\") at++
      else if (end !== undefined) at = end - 1
      else if (character === separator) {
        branches.push([start, at])
        start = at + 1
      }
    }
    return [...branches, [start, to]]
  }

  const groupOf = (kind: GroupKind, at: number, end: number): Node | null => {
    const from = at + kind.length
    const own = pattern.slice(at, end)
    const branches = branchesOf(from, end - 1, kind === "{" ? "," : "|")
    if (branches.length > 1 || (kind !== "{" && kind !== "(")) {
      return { _tag: "Group", kind, branches: branches.map(([start, to]) => sequenceOf(start, to)), own }
    }
    const elements = kind === "{" ? elementsOf(pattern.slice(from, end - 1), elementsLeft) : []
    if (elements.length === 0) return null
    elementsLeft -= elements.length
    return { _tag: "Group", kind, branches: elements.map((text) => [{ _tag: "Text", text }]), own }
  }

  const sequenceOf = (from: number, to: number): Sequence => {
    const nodes: Array<Node> = []
    let at = from
    const take = (length: number, node: Node) => {
      nodes.push(node)
      at += length
    }
    const takeGroup = (kind: GroupKind): boolean => {
      const end = groups.get(at + kind.length - 1)
      if (end === undefined) return false
      const node = groupOf(kind, at, end)
      if (node !== null) take(end - at, node)
      return node !== null
    }
    while (at < to) {
      const character = pattern.charAt(at)
      const kind = kinds[character]
      const found = classes.get(at)
      if (found !== undefined) take(found.end - at, found.node)
      else if (kind !== undefined && pattern.charAt(at + 1) === "(" && takeGroup(kind)) continue
      else if ((character === "{" || character === "(") && takeGroup(character)) continue
      else if (character === "/") take(1, { _tag: "Separator" })
      else if (character === "?") take(1, { _tag: "Any" })
      else if (character === "*") {
        const isDouble = pattern.charAt(at + 1) === "*" && at + 1 < to
        const isSecond = nodes.at(-1)?._tag === "Star"
        if (isSecond) nodes.pop()
        take(1, { _tag: "Star", isDouble: isDouble || isSecond })
      } else if (character === "\\" && at + 1 < to) {
        const text = String.fromCodePoint(pattern.codePointAt(at + 1) ?? 0)
        take(1 + text.length, text === "/" ? { _tag: "Separator" } : { _tag: "Escape", text })
      } else take(1, { _tag: "Text", text: character })
    }
    return nodes
  }

  return sequenceOf(0, pattern.length)
}
