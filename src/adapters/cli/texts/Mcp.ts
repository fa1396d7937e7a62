/** What the commands about MCP servers say. */
import * as Failures from "./Failures.js"

export const leftOut = (failure: string): string => `${failure}; the run goes on without its tools`

/** Why a server of a configuration cannot be used. */
export const unusable = (issues: ReadonlyArray<Failures.FileIssue>): string =>
  `cannot be used: ${issues.map(Failures.placed).join("; ")}`

export const unusableServer = (name: string, path: string, issues: ReadonlyArray<Failures.FileIssue>): string =>
  `the MCP server ${name} in ${path} ${unusable(issues)}`

/** About a server that an editor names. */
export const unusableKind = (name: string): string =>
  `the MCP server ${name} of the editor cannot be used: it is neither a program nor one with an http or https URL`

export const none = "No MCP servers are set up. skein mcp add --help shows how to add one."

export const exists = (name: string): string => `there is already an MCP server ${name}; remove it first`

export const unknown = (name: string): string => `there is no MCP server ${name}; see skein mcp list`

export const serverForm = "must be 1 to 32 characters of A-Z a-z 0-9 _ -, starting with a letter or digit"

export const added = (name: string, path: string): string => `Added ${name} to ${path}`

export const removed = (name: string, path: string): string => `Removed ${name} from ${path}`

export const inFolder = (folder: string): string => `only in ${folder} and below`

export const fileName = ".mcp.json"

export const noFile = (path: string, why: string): string => `${path}: ${why}`

export const notServers = "must have mcpServers by name, each with a command or a url"

export const untrusted =
  "a folder's servers are programs that somebody else may have written: check them, then add --yes"

export const trust = "Each of these can do what you can. Trust them in sessions of this folder? y or n: "

export const notTrusted = "Nothing was changed"

export const about = (name: string, title: string, version: string): string => `${name}: ${title} ${version}`

export const tools = (count: number): string => (count === 1 ? "1 tool:" : `${count} tools:`)

export const prompts = (count: number): string => (count === 1 ? "1 prompt:" : `${count} prompts:`)

export const resources = (count: number): string => (count === 1 ? "1 resource:" : `${count} resources:`)

export const leftOutOf = "left out:"

export const noLogin = (name: string): string => `${name} is a program: only servers with a URL can have a login`

export const openLink = "Open this link and give Skein access:"

export const loggedIn = (name: string): string => `Logged in to ${name}`

export const loggedOut = (name: string): string => `Removed the login for ${name} from this host`

export const notLoggedIn = (name: string): string => `Not logged in to ${name}`

export const unwritable = (why: string): string => `cannot be written: ${why}`
