/** Skein's client of the Model Context Protocol: tools of others for your agents. */
export * as Mcp from "./adapters/mcp/Mcp.js"
