/**
 * Which simple commands a command line for bash runs, for permission rules. Nothing is run or expanded.
 *
 * Only lines of simple commands joined by `;`, `&&`, `||`, `|` and line breaks are understood, with words that are
 * plain, quoted or patterns of file names. In a line with anything else (expansions, substitutions, redirections,
 * assignments, loops, jobs, syntax errors) the visible commands are still found, but the line is not whole.
 *
 * The parser is a third-party package and is loaded when it is first needed. It never gets more than 8,192 characters.
 */
import { Effect } from "effect"
import type { Command, CommandArgument, Redirection, Statement, SyntaxNode, Word } from "unbash"
import type { Commands } from "../../domain/PermissionRule.js"
import * as WorkspaceFiles from "./WorkspaceFiles.js"

const longest = 8_192

const isPlain = /^[\w./:@%=,+-]+$/
const isEscaped = /^(?:[\w./:@%=,+-]|\\[ -~])+$/
const isGlob = /^[\w./:@%=,+*?[\]-]+$/
const hasControls = /[^\P{Cc}\t\n]/u

const notUnderstood: Commands = { commands: [], isWhole: false }

const quoted = (value: string): string => (isPlain.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`)

/** A word as rules write it; null when it is known only after expansion. */
const written = ({ parts = [], text, value }: Word): string | null => {
  if (text.startsWith("~")) return null
  if (parts.some(({ type }) => type === "Glob")) return isGlob.test(text) ? text : null
  const isKnown = parts.every(
    (part) =>
      part.type === "Literal" ||
      part.type === "SingleQuoted" ||
      (part.type === "DoubleQuoted" && part.parts.every(({ type }) => type === "Literal"))
  )
  return isKnown && (parts.length > 0 || isEscaped.test(text)) ? quoted(value) : null
}

const isWord = (argument: CommandArgument | Redirection): argument is Word => argument.type === "Word"

/** A simple command as rules write it, without the words that are not known. */
const commandOf = ({ name, prefix, suffix }: Command): Commands => {
  if (name === undefined) return notUnderstood
  const words = [name, ...suffix.filter(isWord)].map(written)
  const [first = null] = words
  const isKnown = prefix.length === 0 && suffix.every(isWord) && words.every((word) => word !== null)
  return first === null || !isPlain.test(first)
    ? notUnderstood
    : { commands: [words.filter((word) => word !== null).join(" ")], isWhole: isKnown }
}

const none: Commands = { commands: [], isWhole: true }

const joined = (all: ReadonlyArray<Commands>): Commands => ({
  commands: all.flatMap(({ commands }) => commands),
  isWhole: all.every(({ isWhole }) => isWhole)
})

/** Whether a node is understood, apart from what is inside it. */
const isUnderstood = (node: SyntaxNode | Statement): boolean => {
  switch (node.type) {
    case "Script":
      return node.errors === undefined && node.shebang === undefined
    case "Statement":
      return node.background !== true
    case "Pipeline":
      return node.prefixes.length === 0
    case "AndOr":
    case "Command":
      return true
    default:
      return false
  }
}

const read = (text: string, { forEachChild, parse }: typeof import("unbash")): Commands => {
  const walk = (node: SyntaxNode): Commands => {
    const inside: Array<Commands> = []
    const isOfCommand = node.type === "Command"
    forEachChild(node, (child) => {
      const found = walk(child)
      // A word is judged with its command; the commands that the word substitutes are still found.
      inside.push(isOfCommand && isWordOf(child) ? { ...found, isWhole: true } : found)
    })
    const own = isOfCommand ? commandOf(node) : { commands: [], isWhole: isUnderstood(node) }
    return joined([own, ...inside])
  }
  const isWordOf = ({ type }: SyntaxNode) => type === "Word"
  return walk(parse(text))
}

/** The simple commands of a command line. */
export const of = (text: string): Effect.Effect<Commands> =>
  text.trim() === ""
    ? Effect.succeed(none)
    : WorkspaceFiles.platform === "win32" || text.length > longest || hasControls.test(text)
      ? Effect.succeed(notUnderstood)
      : Effect.promise(() => import("unbash")).pipe(
          Effect.map((parser) => read(text, parser)),
          Effect.catchAllDefect(() => Effect.succeed(notUnderstood))
        )
