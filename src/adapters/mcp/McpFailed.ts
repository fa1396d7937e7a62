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

/** An entry of a list that is not used, and why. */
export const LeftOutEntry = Schema.Struct({ name: Schema.String, reason: Schema.String })
export type LeftOutEntry = typeof LeftOutEntry.Type

/** The most entries that a message names. */
const mostNamed = 3

/** What of a server's tools, prompts or resources cannot be used. The server's other entries are used. */
export class McpLeftOut extends Schema.TaggedClass<McpLeftOut>()("McpLeftOut", {
  server: Schema.String,
  what: Schema.Literal("tools", "prompts", "resources"),
  entries: Schema.NonEmptyArray(LeftOutEntry)
}) {
  get message() {
    const named = this.entries.slice(0, mostNamed).map(({ name, reason }) => `${name} (${reason})`)
    const left = this.entries.length - mostNamed
    const more = left > 0 ? ` and ${left} more` : ""
    return `Left out of the ${this.what} of the MCP server ${this.server}: ${named.join(", ")}${more}`
  }
}
