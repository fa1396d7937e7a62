/** How people type slash commands, including those of servers: `/server__prompt words`. Pure. */

const form = /^\/(?<name>[A-Za-z0-9_-]{1,64})(?:\s+(?<typed>[^]*))?$/

/** Returns a command's name, without the slash, and what is typed after it; null for a text that is not a command. */
export const read = (text: string): { readonly name: string; readonly typed: string } | null => {
  const { name, typed = "" } = form.exec(text.trim())?.groups ?? {}
  return name === undefined ? null : { name, typed }
}

/** Whether a command's name begins like those of a server's prompts. */
export const isOf = (server: string, name: string): boolean => name.startsWith(`${server}__`)
