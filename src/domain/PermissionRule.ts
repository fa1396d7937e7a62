/**
 * Rules about calls, stored by a person: allow, ask or deny, by tool and by what the call works on.
 *
 * `TOOL` names a tool, and `*` in it stands for any characters: `server__*`. `TOOL: PATTERN` names what its calls work on
 * as well:
 *
 * - `shell: git status*`: a command, where `*` stands for any characters. It is compared with each simple command that
 *   the call would run, in one canonical form: words with one blank between them, quoted where they are not plain.
 * - `write: docs/**`: a path, from the session's folder down; absolute where it lies outside. `*` and `?` stay within a
 *   name, `**` stands for any characters and, with a `/` after it, for any folders or none. A rule that asks or denies
 *   and names a folder counts for all that is in it; because a folder may have several names, it counts for a path
 *   outside if the path's end matches.
 * - for other tools: the call's input, as JSON without blanks.
 *
 * `\` before a character makes that character literal. Deny wins over ask, ask over allow. Rules allow a call only when
 * they cover everything that it does: each command and each path, by one rule or another. A rule that asks or denies
 * counts for a call that does any of what it names. A command line that cannot be understood is not covered by any
 * pattern, and is asked about when a rule that asks or denies could apply.
 *
 * A call that looks through a folder is judged by that folder, and leaves out the paths in it that a rule denies it or
 * `read`: `read: secrets` the folder with its name, `read: secrets/**` what is in it.
 */
import { Either, Schema } from "effect"
import type { Hides } from "./Permission.js"
import * as WorkspacePath from "./WorkspacePath.js"

/** What a rule says about a call. */
export const Word = Schema.Literal("allow", "ask", "deny")
export type Word = typeof Word.Type

const longest = 1_000
const mostStars = 32

/** Characters of an input that patterns are compared with; a longer input counts as one that cannot be understood. */
const longestInput = 16_384

/** Which calls a rule is about. */
export const Pattern = Schema.String.pipe(
  Schema.filter((text) => parts(text) !== null, {
    message: () => `TOOL or TOOL: PATTERN on one line, of at most ${longest} characters and ${mostStars} stars`
  })
)

/** One rule. */
export const Rule = Schema.Struct({ word: Word, pattern: Pattern }).annotations({ identifier: "PermissionRule" })
export type Rule = typeof Rule.Type

/** The simple commands of a command line, each in its canonical form. */
export interface Commands {
  readonly commands: ReadonlyArray<string>
  /** Whether these are all that the line does. */
  readonly isWhole: boolean
}

/** A call, as rules see it. */
export interface Subject {
  readonly tool: string
  /** What it runs; null for a call that runs no command line. */
  readonly commands: Commands | null
  /** The paths that it works on, as `placeOf` writes them. */
  readonly paths: ReadonlyArray<string>
  /** Its input, as JSON without blanks. */
  readonly input: string
}

/** The tool, and what its calls work on; null for anything. */
interface Parts {
  readonly tool: string
  readonly on: string | null
}

const form = /^([A-Za-z0-9_*-]{1,128})(?:\s*:\s*(\P{Cc}*\S))?$/u

const parts = (text: string): Parts | null => {
  if (text.length > longest || text.split("*").length > mostStars + 1) return null
  const [, tool, on = null] = form.exec(text.trim()) ?? []
  return tool === undefined ? null : { tool, on }
}

/** A path as rules see it: from the workspace down, with `/`; absolute if outside; unchanged without a workspace. */
export const placeOf = (workspace: string | null, path: string): string => {
  if (workspace === null) return path
  const platform = /^(?:[A-Za-z]:|\\\\)/.test(workspace) ? "win32" : "posix"
  const place = { workspace, path }
  const inside = WorkspacePath.relativeInside(platform, place)
  const placed = Either.orElse(inside, () => WorkspacePath.resolve(platform, { base: workspace, path }))
  const text = Either.getOrElse(placed, () => path)
  return platform === "win32" ? text.replaceAll("\\", "/") : text
}

const Wild = Schema.Literal("*", "?", "**", "**/")
type Wild = typeof Wild.Type
const isWild = Schema.is(Wild)

/** A piece of a pattern: a literal text, or a wildcard. */
type Piece = string | { readonly wild: Wild }

/** What patterns for texts and for paths are made of; the second group is a wildcard. */
const inText = /\\(.)|(\*)|[^\\*]+|\\$/gsu
const inPath = /\\(.)|(\*\*\/|\*\*|[*?])|[^\\*?]+|\\$/gsu

const pieces = (pattern: string, form: RegExp): ReadonlyArray<Piece> =>
  Array.from(pattern.matchAll(form), ([piece, escaped, wild]) => (isWild(wild) ? { wild } : (escaped ?? piece)))

/** Whether a text, from one of the positions `starts` on, matches a pattern. */
type Fits = (text: string, starts: ReadonlyArray<number>) => boolean

/**
 * A pattern, to be compared with many texts. `?` and `*` do not step over `separator`; with `within`, a text also matches
 * if a part of it up to a separator does. The work for a text is bounded by the product of the lengths, and allocates
 * nothing.
 */
const compile = (all: ReadonlyArray<Piece>, separator: string | null, within = false): Fits => {
  const [first, last] = [all[0], all.at(-1)]

  /** Whether the text holds the pieces that are literal, in their order. Most texts that do not fit fail here. */
  const mayFit: Fits = (text, starts) => {
    let at = starts[0] ?? 0
    if (!within && typeof last === "string" && !text.endsWith(last)) return false
    if (starts.length === 1 && typeof first === "string" && !text.startsWith(first, at)) return false
    for (const piece of all) {
      if (typeof piece !== "string") continue
      const found = text.indexOf(piece, at)
      if (found < 0) return false
      at = found + piece.length
    }
    return true
  }

  /** The positions in the text that the pieces so far can reach, and those that one more can. */
  let [reached, next] = [new Uint8Array(), new Uint8Array()]

  return (text, starts) => {
    if (!mayFit(text, starts)) return false
    if (reached.length <= text.length) {
      reached = new Uint8Array(2 * text.length + 1)
      next = new Uint8Array(2 * text.length + 1)
    }
    reached.fill(0, 0, text.length + 1)
    for (const start of starts) reached[start] = 1
    for (const piece of all) {
      next.fill(0, 0, text.length + 1)
      let isOpen = 0
      for (let at = 0; at <= text.length; at++) {
        const here = reached[at] ?? 0
        if (typeof piece === "string") {
          if (here === 1 && text.startsWith(piece, at)) next[at + piece.length] = 1
        } else if (piece.wild === "?") {
          if (here === 1 && at < text.length && text.charAt(at) !== separator) next[at + 1] = 1
        } else {
          isOpen |= here
          next[at] = piece.wild === "**/" && text.charAt(at - 1) !== "/" ? here : isOpen
          if (piece.wild === "*" && text.charAt(at) === separator) isOpen = 0
        }
      }
      const before = reached
      reached = next
      next = before
    }
    if (reached[text.length] === 1) return true
    if (!within) return false
    for (let at = 1; at < text.length; at++) {
      if (reached[at] === 1 && (text.charAt(at) === separator || text.charAt(at - 1) === separator)) return true
    }
    return false
  }
}

const fromStart: ReadonlyArray<number> = [0]

const isText = (pattern: string, text: string): boolean => compile(pieces(pattern, inText), null)(text, fromStart)

const isPath = (pattern: string, path: string): boolean => compile(pieces(pattern, inPath), "/")(path, fromStart)

/** Whether a path, or a folder that it is in, is what a pattern names. */
const isWithin = (all: ReadonlyArray<Piece>): Fits => compile(all, "/", true)

/**
 * Whether a path may be what a pattern names, or in it. A path that looks as if it were outside may start with another
 * name of the session's folder, which a link gives it; so each end of it counts.
 */
const mayBePath = (pattern: string, path: string): boolean =>
  isWithin(pieces(pattern, inPath))(
    path,
    /^(?:[A-Za-z]:)?\//.test(path) ? [0, ...Array.from(path.matchAll(/\//g), ({ index }) => index + 1)] : fromStart
  )

/** Returns the texts of a call that a rule's pattern is compared with: whether it names one, and whether it may. */
const comparable = ({ commands, input, paths }: Subject) => {
  if (commands !== null) return { texts: commands.commands, isWhole: commands.isWhole, is: isText, mayBe: isText }
  if (paths.length > 0) return { texts: paths, isWhole: true, is: isPath, mayBe: mayBePath }
  const isWhole = input.length <= longestInput
  return { texts: isWhole ? [input] : [], isWhole, is: isText, mayBe: isText }
}

/** What rules say about a call. */
export interface Judgement {
  readonly word: Word
  /** The rule, or one of several; null when the reason is that the call cannot be understood. */
  readonly rule: Rule | null
}

/** Returns what rules say about a call; null when none of them decides. */
export const judge = (rules: ReadonlyArray<Rule>, subject: Subject): Judgement | null => {
  const { is, isWhole, mayBe, texts } = comparable(subject)
  const about = rules.flatMap((rule) => {
    const { on = null, tool = "" } = parts(rule.pattern) ?? {}
    return isText(tool, subject.tool) ? [{ rule, on }] : []
  })
  const counting = (word: Word) => about.filter(({ rule }) => rule.word === word)
  const touching = (word: Word) =>
    counting(word).find(({ on }) => on === null || texts.some((text) => mayBe(on, text)))?.rule ?? null

  const denied = touching("deny")
  if (denied !== null) return { word: "deny", rule: denied }
  const asked = touching("ask")
  if (asked !== null) return { word: "ask", rule: asked }
  const strict = [...counting("deny"), ...counting("ask")]
  if (!isWhole && strict.length > 0) return { word: "ask", rule: null }
  const allowing = counting("allow")
  const whole = allowing.find(({ on }) => on === null)
  if (whole !== undefined) return { word: "allow", rule: whole.rule }
  if (!isWhole || texts.length === 0) return null
  const covering = texts.map((text) => allowing.find(({ on }) => on !== null && is(on, text))?.rule)
  const [first] = covering
  return first !== undefined && covering.every((rule) => rule !== undefined) ? { word: "allow", rule: first } : null
}

/** The tool whose rules also count for what other tools show of files. */
const reader = "read"

/**
 * Returns whether rules deny a tool, or `read`, what is at a path from the session's folder down, or a folder above it;
 * null when they deny neither of them anything by a pattern.
 */
export const hiding = (rules: ReadonlyArray<Rule>, tool: string): Hides | null => {
  const patterns = rules.flatMap(({ pattern, word }) => {
    const { on = null, tool: named = "" } = parts(pattern) ?? {}
    return word === "deny" && on !== null && [tool, reader].some((one) => isText(named, one))
      ? [pieces(on, inPath)]
      : []
  })
  if (patterns.length === 0) return null
  const fitting = patterns.map(isWithin)
  const hides = (path: string) => fitting.some((fits) => fits(path, fromStart))
  return Object.assign(hides, { cost: patterns.reduce((cost, all) => cost + all.length, 0) })
}

/** Leaves out what either leaves out. */
export const eitherHides = (one: Hides | undefined, other: Hides | undefined): Hides | undefined =>
  one === undefined || other === undefined
    ? (one ?? other)
    : Object.assign((path: string) => one(path) || other(path), { cost: (one.cost ?? 1) + (other.cost ?? 1) })

/** Returns the pattern for calls like this one and no others; null when one rule cannot express it. */
export const patternFor = (subject: Subject): string | null => {
  const { commands, paths, tool } = subject
  const { isWhole, texts } = comparable(subject)
  const [only] = texts
  if (commands === null && paths.length === 0) return parts(tool) === null ? null : tool
  if (only === undefined || texts.length > 1 || !isWhole) return null
  const on = only.replaceAll(/[\\*?]/g, "\\$&")
  const pattern = `${tool}: ${on}`
  // Blanks at the ends do not become part of a pattern: it would be a pattern for another path.
  return parts(pattern)?.on === on ? pattern : null
}
