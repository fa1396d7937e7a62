/** The help of `@effect/cli`, made plain: no colours, whole command names, nothing said that every option says. Pure. */
import * as Ansi from "./terminal/Ansi.js"

const fillers = new Set([
  "A user-defined piece of text.",
  "A true or false value.",
  "An integer.",
  "This setting is optional."
])

/** Names of commands by the command that they belong to. */
export type Parents = ReadonlyMap<string, string>

/** The usage names a command without what it belongs to. */
const wholeUsage = (line: string, program: string, parents: Parents): string => {
  if (!line.startsWith("$ ")) return line
  const usage = line.slice(2)
  const [first = ""] = usage.split(" ")
  if (first === program) return line
  const parent = parents.get(first)
  return `$ ${program} ${parent === undefined || usage.startsWith(`${parent} `) ? "" : `${parent} `}${usage}`
}

const isHeading = (line: string): boolean => /^[A-Z]+$/.test(line)

/** A command in the list of commands: what it does goes on a line of its own. */
const folded = (line: string): string => line.replace(/^ {2}- (.*?) {2,}(\S.*)$/, "  $1\n      $2")

/** An empty line before each heading, and one before the line that closes the help. What is no help stays as it is. */
export const plain = (text: string, program: string, parents: Parents): string => {
  const help = Ansi.strip(text)
    .split("\n")
    .map((line) => line.trimEnd())
  if (!help.includes("USAGE")) return `${text.trimEnd()}\n`
  const lines = help
    .filter((line) => line !== "" && !fillers.has(line.trim()))
    .map((line) => folded(wholeUsage(line, program, parents)))
  return lines
    .slice(lines[0] === program ? 1 : 0)
    .map((line, at, all) => (isHeading(line) || at === all.length - 1 ? `\n${line}\n` : `${line}\n`))
    .join("")
}
