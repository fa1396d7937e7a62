/** How people type slash commands, those of servers among them: `/server__prompt words`. Pure. */

const form = /^\/(?<name>[A-Za-z0-9_-]{1,64})(?:\s+(?<typed>[^]*))?$/

/** A command by its name, without the slash, with what is typed after it; null for a text that is none. */
export const read = (text: string): { readonly name: string; readonly typed: string } | null => {
  const { name, typed = "" } = form.exec(text.trim())?.groups ?? {}
  return name === undefined ? null : { name, typed }
}

/** Whether a command's name begins as those of a server's prompts do. */
export const isOf = (server: string, name: string): boolean => name.startsWith(`${server}__`)
