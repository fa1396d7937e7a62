/** What the commands about MCP servers say. */

export const none = "No MCP servers are set up. skein mcp add --help shows how to add one."

export const exists = (name: string): string => `there is an MCP server ${name} already; remove it first`

export const unknown = (name: string): string => `there is no MCP server ${name}; see skein mcp list`

export const serverForm = "must be 1 to 32 of A-Z a-z 0-9 _ -, beginning with a letter or digit"

export const added = (name: string, path: string): string => `Added ${name} to ${path}`

export const removed = (name: string, path: string): string => `Removed ${name} from ${path}`

export const inFolder = (folder: string): string => `only in ${folder} and below`

export const fileName = ".mcp.json"

export const noFile = (path: string, why: string): string => `${path}: ${why}`

export const notServers = "not mcpServers by name, each with a command or a url"

export const untrusted = "a folder's servers are programs of whoever wrote it: look at them, then say --yes"

export const trust = "Each of these can do what you can. Trust them in sessions of this folder? y or n: "

export const notTrusted = "Nothing is changed"

export const about = (name: string, title: string, version: string): string => `${name}: ${title} ${version}`

export const tools = (count: number): string => (count === 1 ? "1 tool:" : `${count} tools:`)

export const prompts = (count: number): string => (count === 1 ? "1 prompt:" : `${count} prompts:`)

export const resources = (count: number): string => (count === 1 ? "1 resource:" : `${count} resources:`)

export const noLogin = (name: string): string => `${name} is a program: only servers with a URL have logins`

export const openLink = "Open this link, and allow Skein there:"

export const loggedIn = (name: string): string => `Logged in at ${name}`

export const loggedOut = (name: string): string => `The login at ${name} is forgotten here`

export const notLoggedIn = (name: string): string => `There is no login at ${name}`

export const unwritable = (why: string): string => `cannot be written: ${why}`
