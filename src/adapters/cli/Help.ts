/** The help, in the width that the terminal has. Pure. */
import * as Commands from "./texts/Commands.js"

const narrowest = 40
const widest = 100
/** Columns of the names, if there is room for descriptions next to them. */
const nameColumns = 28

const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

interface Row {
  readonly name: string
  readonly about: string
}

/** A name and what it is about, side by side or one below the other. */
const row = ({ about, name }: Row, columns: number): string => {
  const isWide = columns >= 2 * nameColumns
  const indent = " ".repeat(isWide ? nameColumns : 6)
  const lines = wrap(about, columns - indent.length).map((line) => `${indent}${line}\n`)
  const head = `  ${name}`
  if (!isWide || head.length > nameColumns - 2) return `${head}\n${lines.join("")}`
  return `${head}${lines.join("").slice(head.length)}`
}

const section = (heading: string, rows: ReadonlyArray<Row>, columns: number): string =>
  rows.length === 0 ? "" : `\n${heading}\n${rows.map((one) => row(one, columns)).join("")}`

const argumentName = ({ isOptional, name }: Commands.Argument): string => (isOptional === true ? `[${name}]` : name)

const optionRow = ({ about, name, value }: Commands.Option): Row => ({
  name: `--${name}${value === null ? "" : ` ${value}`}`,
  about
})

const paragraph = (text: string, columns: number): string => `${wrap(text, columns).join("\n")}\n`

const commandRow = (command: Commands.Command): Row => ({
  name: [command.name, ...command.arguments.map(argumentName)].join(" "),
  about: command.about
})

const ofCommand = (command: Commands.Command, columns: number): string =>
  [
    paragraph(command.about, columns),
    `\n${Commands.headings.usage}\n  ${["skein", commandRow(command).name, "[OPTIONS]"].join(" ")}\n`,
    section(
      Commands.headings.arguments,
      command.arguments.map((argument) => ({ name: argument.name, about: argument.about })),
      columns
    ),
    section(Commands.headings.options, command.options.map(optionRow), columns),
    section(Commands.headings.common, Commands.common.map(optionRow), columns),
    `\n${Commands.headings.examples}\n${command.examples.map((example) => `  ${example}\n`).join("")}`
  ].join("")

const ofCommands = (commands: ReadonlyArray<Commands.Command>, head: string, columns: number): string =>
  [
    head,
    section(Commands.headings.commands, commands.map(commandRow), columns),
    section(Commands.headings.common, Commands.common.map(optionRow), columns),
    `\n${paragraph(Commands.closing, columns)}${paragraph(Commands.exitCodes, columns)}`
  ].join("")

/** Help for a command, for those that begin with a word, or for all (""). */
export const render = (of: string, version: string, width: number): string => {
  const columns = Math.min(Math.max(width, narrowest), widest)
  const command = Commands.all.find(({ name }) => name === of)
  if (command !== undefined) return ofCommand(command, columns)
  const commands = Commands.all.filter(({ name }) => of === "" || name.startsWith(`${of} `))
  return ofCommands(
    commands,
    of === "" ? `skein ${version}\n${paragraph(Commands.about, columns)}` : "",
    columns
  ).replace(/^\n/, "")
}
