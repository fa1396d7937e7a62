/** What the help says about the commands for MCP servers. */
import type { Argument, Command } from "./CommandParts.js"

const server: Argument = { name: "NAME", about: "The server's name. The names of its tools begin with it" }

const list = {
  name: "mcp list",
  about: "List the MCP servers of the configuration",
  arguments: [],
  options: [],
  examples: ["skein mcp list"]
} as const satisfies Command

export const test = {
  name: "mcp test",
  about: "Start an MCP server, or connect to it, and list its tools",
  arguments: [server],
  options: [],
  examples: ["skein mcp test files"]
} as const satisfies Command

export const add = {
  name: "mcp add",
  about: "Add an MCP server to the configuration: a program or a URL",
  arguments: [
    server,
    {
      name: "COMMAND...",
      about: "The program and its arguments, or a URL. Put -- before a program with options of its own",
      isRepeated: true
    }
  ],
  options: [],
  examples: [
    "skein mcp add files -- npx -y @modelcontextprotocol/server-filesystem .",
    "skein mcp add docs https://example.com/mcp"
  ]
} as const satisfies Command

export const remove = {
  name: "mcp remove",
  about: "Remove an MCP server from the configuration",
  arguments: [server],
  options: [],
  examples: ["skein mcp remove files"]
} as const satisfies Command

export const trust = {
  name: "mcp trust",
  about: "Add the servers of a folder's .mcp.json, for its sessions only",
  arguments: [{ name: "DIR", about: "The folder. Defaults to the current one", isOptional: true }],
  options: [{ name: "yes", value: null, about: "Trust them without asking" }],
  examples: ["skein mcp trust ."]
} as const satisfies Command

export const login = {
  name: "mcp login",
  about: "Log in to an MCP server that requires OAuth, by opening a link",
  arguments: [server],
  options: [],
  examples: ["skein mcp login docs"]
} as const satisfies Command

export const logout = {
  name: "mcp logout",
  about: "Forget the login for an MCP server",
  arguments: [server],
  options: [],
  examples: ["skein mcp logout docs"]
} as const satisfies Command

export const all: ReadonlyArray<Command> = [list, add, remove, test, trust, login, logout]
