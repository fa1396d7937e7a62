/**
 * The command line, read with the table of commands. Pure, and loads nothing large: help and wrong usage need no
 * engine.
 *
 * Options may be anywhere before `--`. An argument with a blank before any `=` is not an option, so that a message may
 * begin with a dash. Options and their values are read before the command is known, by their names alone: a name has a
 * value in all commands or in none.
 */
import * as ShellText from "./ShellText.js"
import * as Commands from "./texts/Commands.js"
import * as Usage from "./texts/Usage.js"

/** The values of one command line: its options and arguments. */
export interface Values<Name extends string = string> {
  /** The value of an option, null without it. */
  readonly value: (name: Name | CommonOption) => string | null
  readonly has: (name: Name | CommonOption) => boolean
  /** An argument by its index, null without it. */
  readonly argument: (at: number) => string | null
  /** All arguments. */
  readonly arguments: ReadonlyArray<string>
}

type CommonOption = (typeof Commands.common)[number]["name"]

/** The options of a command in the table. */
export type ValuesOf<C extends Commands.Command> = Values<C["options"][number]["name"]>

/** What a command line asks for. */
export type Request =
  | { readonly _tag: "Version" }
  /** `of` is a command, the first word of several commands, or "" for all. */
  | { readonly _tag: "Help"; readonly of: string }
  | { readonly _tag: "Call"; readonly command: Commands.Command; readonly values: Values }
  | { readonly _tag: "Wrong"; readonly detail: string }

interface Token {
  /** As it was written, without a value. */
  readonly written: string
  readonly name: string
  readonly value: string | null
  readonly isJoined: boolean
}

interface Tokens {
  readonly words: ReadonlyArray<string>
  readonly options: ReadonlyArray<Token>
}

const allOptions: ReadonlyArray<Commands.Option> = [
  ...Commands.common,
  ...Commands.all.flatMap((command) => command.options)
]

const shortNames: Readonly<Record<string, string>> = { "-h": "--help", "-v": "--version", "-V": "--version" }

/** `--name`, `--name=value` or `-x`, and no blank in the name. */
const optionPattern = /^(-[^\s=]+)(?:=([^]*))?$/

const takesValue = (name: string): boolean => allOptions.some((option) => option.name === name && option.value !== null)

const tokensOf = (args: ReadonlyArray<string>): Tokens => {
  const words: Array<string> = []
  const options: Array<Token> = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ""
    if (arg === "--") return { words: [...words, ...args.slice(at + 1)], options }
    const [, written, joined] = optionPattern.exec(arg) ?? []
    if (written === undefined) {
      words.push(arg)
      continue
    }
    const name = (shortNames[written] ?? written).replace(/^-+/, "")
    const next = args[at + 1]
    const isNextValue = joined === undefined && takesValue(name) && next !== undefined && !optionPattern.test(next)
    options.push({ written, name, value: joined ?? (isNextValue ? next : null), isJoined: joined !== undefined })
    if (isNextValue) at++
  }
  return { words, options }
}

/** The number of one-letter changes from one word to the other. */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1]
    for (let to = 0; to < other.length; to++) {
      const replaced = (row[to] ?? 0) + (one[at] === other[to] ? 0 : 1)
      next.push(Math.min(replaced, (row[to + 1] ?? 0) + 1, (next[to] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}

const longestName = 40

/** The candidate that a mistyped word most likely stands for. */
const similarTo = (word: string, candidates: ReadonlyArray<string>): string | null => {
  if (word.length > longestName) return null
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .sort((one, other) => one.distance - other.distance)
  const [best] = ranked
  return best !== undefined && best.distance <= Math.min(2, word.length / 2) ? best.candidate : null
}

const longestShown = 80

/** What was typed, cut. `main` makes it harmless for the terminal. */
const shown = (text: string): string => {
  const characters = Array.from(text.slice(0, 2 * longestShown + 2))
  return `"${characters.length > longestShown ? `${characters.slice(0, longestShown).join("")}…` : text}"`
}

const wrong = (detail: string): Request => ({ _tag: "Wrong", detail })

const membersOf = (group: string): ReadonlyArray<string> =>
  Commands.all.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []))

/** The command that the words begin with. */
const commandOf = (words: ReadonlyArray<string>) => {
  const matches = (name: string) => name.split(" ").every((word, at) => words[at] === word)
  return Commands.all.find(({ name }) => matches(name))
}

const unknownCommand = (words: ReadonlyArray<string>): Request => {
  const [first = "", second] = words
  const members = membersOf(first)
  if (members.length > 0) {
    if (second === undefined) return wrong(Usage.incompleteCommand(first, members))
    const similar = similarTo(second, members)
    return wrong(Usage.unknownCommand(shown(`${first} ${second}`), similar === null ? null : `${first} ${similar}`))
  }
  const similar = similarTo(first, [...new Set(Commands.all.map(({ name }) => name.split(" ")[0] ?? name))])
  const isMessage = similar === null && (words.length > 1 || /\s/.test(first))
  return isMessage
    ? wrong(Usage.unquotedMessage(shown(first), ShellText.message(words.join(" "))))
    : wrong(Usage.unknownCommand(shown(first), similar))
}

const helpOf = (words: ReadonlyArray<string>): Request => {
  if (words.length === 0) return { _tag: "Help", of: "" }
  const command = commandOf(words)
  if (command !== undefined) return { _tag: "Help", of: command.name }
  const [first = "", second] = words
  return second === undefined && membersOf(first).length > 0 ? { _tag: "Help", of: first } : unknownCommand(words)
}

/** What is wrong with an option of a command; null when nothing is. */
const wrongOption = (command: Commands.Command, token: Token, all: ReadonlyArray<Token>): string | null => {
  const known = [...command.options, ...Commands.common]
  const isLong = token.written.startsWith("--")
  const option = isLong ? known.find(({ name }) => name === token.name) : undefined
  const written = shown(token.written)
  if (option === undefined) {
    if (isLong && allOptions.some(({ name }) => name === token.name)) {
      return Usage.foreignOption(written, command.name)
    }
    const names = known.map(({ name }) => name)
    // A dash with one letter is not a misspelled name.
    const similar = token.written.length > 2 ? similarTo(token.name, names) : null
    if (similar !== null) return Usage.unknownOption(written, `--${similar}`, command.name)
    return command.name === "run" && !isLong
      ? Usage.dashedMessage(written, ShellText.message(token.written))
      : Usage.unknownOption(written, null, command.name)
  }
  const spelled = `--${option.name}`
  if (all.filter(({ name }) => name === token.name).length > 1) return Usage.repeatedOption(spelled)
  if (option.value === null) return token.isJoined ? Usage.needlessValue(spelled) : null
  return token.value === null || token.value === "" ? Usage.missingValue(spelled, option.value) : null
}

const call = (command: Commands.Command, words: ReadonlyArray<string>, options: ReadonlyArray<Token>): Request => {
  for (const token of options) {
    const detail = wrongOption(command, token, options)
    if (detail !== null) return wrong(detail)
  }
  const missing = command.arguments[words.length]
  if (missing !== undefined && missing.isOptional !== true)
    return wrong(Usage.missingArgument(missing.name, command.name))
  const surplus = words[command.arguments.length]
  if (surplus !== undefined && command.arguments.at(-1)?.isRepeated !== true) {
    return wrong(
      command.name === "run"
        ? Usage.unquotedRest(shown(surplus), ShellText.message(words.join(" ")))
        : Usage.surplusArgument(shown(surplus), command.name)
    )
  }
  const find = (name: string) => options.find((token) => token.name === name)
  return {
    _tag: "Call",
    command,
    values: {
      value: (name) => find(name)?.value ?? null,
      has: (name) => find(name) !== undefined,
      argument: (at) => words[at] ?? null,
      arguments: words
    }
  }
}

/** Reads the arguments that follow the program's name. */
export const read = (args: ReadonlyArray<string>): Request => {
  const { options, words } = tokensOf(args)
  const [first] = words
  if (first === "help") return helpOf(words.slice(1))
  if (options.some(({ name }) => name === "help")) return helpOf(words)
  if (words.length === 0 && options.some(({ name }) => name === "version")) return { _tag: "Version" }
  const command = commandOf(words)
  if (command !== undefined) return call(command, words.slice(command.name.split(" ").length), options)
  if (words.length === 1 && options.length === 0 && membersOf(first ?? "").length > 0) return helpOf(words)
  if (first !== undefined) return unknownCommand(words)
  const [option] = options
  return option === undefined ? helpOf([]) : wrong(Usage.missingCommand(shown(option.written)))
}
