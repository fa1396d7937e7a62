/** What goes wrong with servers of the Model Context Protocol. */
import { Schema } from "effect"

/**
 * A server could not be reached, ended, or did not keep to the protocol. Other servers and tools are not harmed.
 * `reason` contains nothing that the server wrote.
 */
export class McpFailed extends Schema.TaggedError<McpFailed>()("McpFailed", {
  server: Schema.String,
  operation: Schema.Literal("connect", "list", "call", "prompt", "read", "login"),
  reason: Schema.String
}) {
  override get message() {
    return `The MCP server ${this.server} failed to ${this.operation}: ${this.reason}`
  }
}

/** There is no such server in the settings. */
export class McpUnknown extends Schema.TaggedError<McpUnknown>()("McpUnknown", {
  server: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    const known = this.known.length === 0 ? "none are configured" : `known are ${this.known.join(", ")}`
    return `There is no MCP server ${this.server}: ${known}`
  }
}

/** A tool refused its input or failed, as its server says. */
export class McpRefused extends Schema.TaggedError<McpRefused>()("McpRefused", { text: Schema.String }) {
  override get message() {
    return this.text
  }
}
