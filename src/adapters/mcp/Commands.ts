/**
 * Prompts of servers as slash commands, named `server__prompt`. What is typed after a command is its arguments in
 * order: words, or texts in quotes; the last argument takes the rest.
 */
import { Effect, Either } from "effect"
import * as OneLine from "../../domain/OneLine.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import type * as Connections from "./Connections.js"
import type * as LeftOut from "./LeftOut.js"
import type * as Listing from "./Listing.js"
import type { LeftOutEntry } from "./McpFailed.js"
import * as Names from "./Names.js"
import * as Results from "./Results.js"

/** An argument of a command. */
export interface Argument {
  readonly name: string
  readonly about: string
  readonly isRequired: boolean
}

/** A prompt of a server, as people call it. */
export interface Command {
  /** Without the slash. */
  readonly name: string
  readonly server: string
  readonly about: string
  readonly arguments: ReadonlyArray<Argument>
}

interface Known extends Command {
  readonly prompt: string
}

const longestAbout = 512
const mostArguments = 32

const line = (text: string | undefined): string => OneLine.first(text ?? "", longestAbout) ?? ""

const known = (server: string, { arguments: given = [], description, name, title }: Listing.Prompt): Known => ({
  name: Names.of(server, name),
  server,
  prompt: name,
  about: line(description ?? title),
  arguments: given
    .slice(0, mostArguments)
    .map(({ description, name, required }) => ({ name, about: line(description), isRequired: required === true }))
})

/** The commands of a server, as it lists its prompts now. */
export const of = Effect.fnUntraced(function* (
  connections: Connections.Service,
  server: string,
  report: LeftOut.Report
) {
  const commands = new Map<string, Known>()
  const leftOut: Array<LeftOutEntry> = []
  for (const entry of yield* connections.prompts(server)) {
    const command = Either.map(entry, (prompt) => known(server, prompt))
    if (Either.isLeft(command)) leftOut.push(command.left)
    else if (commands.has(command.right.name)) leftOut.push({ name: command.right.name, reason: Names.taken })
    else commands.set(command.right.name, command.right)
  }
  yield* report(server, "prompts", leftOut)
  return [...commands.values()]
})

const word = /"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/gu

/** Splits a text into the values of `count` arguments. */
const split = (text: string, count: number): ReadonlyArray<string> => {
  const words: Array<string> = []
  for (const { 0: all, 1: double, 2: single, 3: plain, index } of text.matchAll(word)) {
    const rest = text.slice(index).trim()
    if (words.length === count - 1 && rest !== all) return [...words, rest]
    words.push(double?.replace(/\\(.)/gu, "$1") ?? single ?? plain ?? "")
  }
  return words
}

const argumentsOf = Effect.fnUntraced(function* (command: Command, text: string) {
  const names = command.arguments
  const words = split(text, names.length)
  if (words.length > names.length) {
    return yield* new InvalidInput({ field: `/${command.name}`, limit: "no arguments", actual: `${words.length}` })
  }
  const missing = names.slice(words.length).find(({ isRequired }) => isRequired)
  if (missing !== undefined) {
    const limit = names.map(({ isRequired, name }) => (isRequired ? name : `[${name}]`)).join(" ")
    return yield* new InvalidInput({ field: `/${command.name}`, limit, actual: `no ${missing.name}` })
  }
  return Object.fromEntries(
    names.flatMap(({ name }, index) => [words[index]].flatMap((one) => (one === undefined ? [] : [[name, one]])))
  )
})

/** Returns what a command says, given what was typed after it. */
export const expand = Effect.fn("Mcp.expand")(function* (
  connections: Connections.Service,
  command: Known,
  text: string
) {
  const given = yield* argumentsOf(command, text)
  return Results.ofPrompt(yield* connections.prompt(command.server, command.prompt, given))
})
