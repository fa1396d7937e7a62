/** Slash commands: prompts by which an editor's user acts on the session itself. Pure. */
import type { AvailableCommand, ContentBlock } from "@agentclientprotocol/sdk"
import * as CommandText from "../mcp/CommandText.js"
import type { Command } from "../mcp/Mcp.js"

const own: ReadonlyArray<AvailableCommand> = [
  { name: "rename", description: "Rename the session", input: { hint: "title" } },
  { name: "resume", description: "Continue a run that was cut off" }
]

const hintOf = ({ arguments: given }: Command): string =>
  given.map(({ isRequired, name }) => (isRequired ? name : `[${name}]`)).join(" ")

/** All commands, with the prompts of servers. */
export const all = (prompts: ReadonlyArray<Command>): Array<AvailableCommand> => [
  ...own,
  ...prompts.map((prompt) => ({
    name: prompt.name,
    description: prompt.about,
    ...(prompt.arguments.length === 0 ? {} : { input: { hint: hintOf(prompt) } })
  }))
]

export type SlashCommand =
  | { readonly _tag: "Rename"; readonly title: string }
  | { readonly _tag: "Resume" }
  /** A prompt of a server: `name` is `server__prompt`, or not a command at all. */
  | { readonly _tag: "Prompt"; readonly name: string; readonly typed: string }

/** The command that a prompt contains; null when it is a message. */
export const read = (prompt: ReadonlyArray<ContentBlock>): SlashCommand | null => {
  const [block, ...others] = prompt
  if (block?.type !== "text" || others.length > 0) return null
  const command = CommandText.read(block.text)
  if (command === null) return null
  const { name, typed } = command
  if (name === "resume" && typed === "") return { _tag: "Resume" }
  if (name === "rename" && typed !== "") return { _tag: "Rename", title: typed }
  return name.includes("__") ? { _tag: "Prompt", name, typed } : null
}
