/** The commands for MCP servers, loaded in one piece. */
export * as add from "./mcp/add.js"
export * as list from "./mcp/list.js"
export * as login from "./mcp/login.js"
export * as logout from "./mcp/logout.js"
export * as remove from "./mcp/remove.js"
export * as test from "./mcp/test.js"
export * as trust from "./mcp/trust.js"
