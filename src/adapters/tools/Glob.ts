/**
 * Glob patterns as regular expressions for paths with `/` between names. A pattern without `/` matches names at any
 * depth.
 *
 * Guaranteed: a pattern always finds the path that is exactly its text. `[id]`, `{a,b}`, `(group)` and an escape match
 * both what they mean and their own text, each independently: `app/(group)/[id]/*.tsx` finds app/(group)/[id]/page.tsx.
 * No pattern fails; the work and the length of the expression are bounded, and the expression is compiled and tried by
 * `Matcher`.
 *
 * Not guaranteed: `!(a)` before a star, such as `!(a)*`, also leaves out what only begins with `a`.
 */
import { Either } from "effect"
import { PatternRefused } from "./FileErrors.js"
import * as GlobSyntax from "./GlobSyntax.js"
import type { Expression } from "./Matcher.js"
import * as PathText from "./PathText.js"

const maxCharacters = 1000

/** The most characters of an expression. Nested brackets could produce more. */
const maxSource = 100_000

const within = "[^/]*"

const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")

const oneOf = (alternatives: ReadonlyArray<string>): string => `(?:${[...new Set(alternatives)].join("|")})`

const classOf = ({ isNegated, members }: { readonly isNegated: boolean; readonly members: string }): string => {
  if (members === "") return isNegated ? "[^/]" : "[]"
  return `(?!/)[${isNegated ? "^" : ""}${members}]`
}

const separator: GlobSyntax.Node = { _tag: "Separator" }

/** Whether the node after a sequence is at the start of a name. */
const endsAtStart = (sequence: GlobSyntax.Sequence, isAtStart: boolean): boolean => {
  const last = sequence.at(-1)
  return last === undefined ? isAtStart : last._tag === "Separator"
}

interface Edges {
  /** Whether the sequence begins where a name begins. */
  readonly isAtStart: boolean
  /** Whether the sequence ends where the path ends. */
  readonly isAtEnd: boolean
}

const quantifiers: Readonly<Record<string, string>> = { "?(": "?", "*(": "*", "+(": "+" }

/** `loose` allows what `!(…)` forbids, so that this can be searched for behind another `!(…)`. */
const write = (sequence: GlobSyntax.Sequence, { isAtEnd, isAtStart }: Edges, loose = false): string => {
  let source = ""
  let starts = isAtStart
  for (let at = 0; at < sequence.length; at++) {
    const node = sequence[at] ?? separator
    const next = sequence[at + 1]
    const ends = next === undefined ? isAtEnd : next._tag === "Separator"
    const isBeforeSeparator = next?._tag === "Separator"
    switch (node._tag) {
      case "Star": {
        if (node.isDouble && starts && isBeforeSeparator) {
          source += "(?:[^/]+/)*"
          at++
          continue
        }
        source += node.isDouble && starts && ends ? "[^]*" : within
        break
      }
      case "Group": {
        const { branches, kind, own } = node
        if (kind === "{" || kind === "(") {
          // With the separator in each branch, ** at a branch's end sees it.
          const all = isBeforeSeparator ? branches.map((branch) => [...branch, separator]) : branches
          const texts = all.map((branch) => write(branch, { isAtStart: starts, isAtEnd: ends }, loose))
          source += oneOf([...texts, escape(isBeforeSeparator ? `${own}/` : own)])
          if (isBeforeSeparator) at++
          starts = all.every((branch) => endsAtStart(branch, starts))
          continue
        }
        const group = oneOf(branches.map((branch) => write(branch, { isAtStart: starts, isAtEnd: ends }, loose)))
        const negated = () => {
          const rest = sequence.slice(at + 1)
          const name = rest.findIndex(({ _tag }) => _tag === "Separator")
          const after = write(name === -1 ? rest : rest.slice(0, name), { isAtStart: false, isAtEnd: false }, true)
          return `(?!${group}${after}${name !== -1 || isAtEnd ? "(?:/|$)" : ""})${within}`
        }
        const meant = kind === "!(" ? (loose ? within : negated()) : `${group}${quantifiers[kind] ?? ""}`
        source += oneOf([meant, escape(own)])
        break
      }
      case "Separator":
        source += "/"
        break
      case "Any":
        source += "[^/]"
        break
      case "Class":
        source += oneOf([classOf(node), escape(node.own)])
        break
      case "Escape":
        source += oneOf([escape(node.text), escape(`\\${node.text}`)])
        break
      case "Text":
        source += escape(node.text)
        break
    }
    starts = node._tag === "Separator"
  }
  return source
}

/** Removes empty names and `.`, which no path has; keeps a separator at the end. */
const normalise = (pattern: string): string => pattern.replaceAll(/\/{2,}/g, "/").replaceAll(/(^|\/)(?:\.\/)+/g, "$1")

/**
 * The pattern as an expression. It may have `*`, `**`, `?`, `[…]`, `{a,b}`, `{1..9}`, `(a|b)` and `?(…)`, `*(…)`,
 * `+(…)`, `@(…)`, `!(…)`; a pattern in the form in which `PathText` prints a path is read as that path. Fails with
 * `PatternRefused` when the pattern is empty, too long, or leads out of the folder that is searched.
 */
export const compile = (text: string): Either.Either<Expression, PatternRefused> => {
  const refuse = (detail: string) => Either.left(new PatternRefused({ pattern: text.slice(0, maxCharacters), detail }))
  if (text.length > maxCharacters) return refuse(`it has more than ${maxCharacters} characters`)
  const pattern = normalise(PathText.parse(text))
  if (pattern === "") return refuse("it is empty")
  if (pattern.startsWith("/") || pattern.split("/").includes("..")) {
    return refuse("it must start at the folder that is searched, without / at the start and without ..")
  }
  const own = escape(pattern)
  const meant = write(GlobSyntax.parse(pattern), { isAtStart: true, isAtEnd: true })
  const source = `^${pattern.includes("/") ? "" : "(?:[^/]+/)*"}${oneOf([own, meant])}$`
  return source.length > maxSource
    ? refuse("its brackets are nested too deeply")
    : Either.right({ pattern: text, source, flags: "u" })
}
