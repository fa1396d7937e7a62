/**
 * Servers of the Model Context Protocol that an editor names for a session, in the form that a configuration has. They
 * are trusted as the editor's user is: programs among them are started. Pure.
 */
import type { McpServer } from "@agentclientprotocol/sdk"
import { Either, Schema } from "effect"
import { Servers } from "../mcp/Settings.js"

const longestName = 32

/** A name that tool names can contain: editors name servers as they like. */
const nameOf = (given: string, taken: ReadonlySet<string>): string => {
  const plain = given.replace(/[^A-Za-z0-9_-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "") || "server"
  for (let nth = 1; ; nth++) {
    const suffix = nth === 1 ? "" : `-${nth}`
    const name = `${plain.slice(0, longestName - suffix.length)}${suffix}`
    if (!taken.has(name)) return name
  }
}

const record = (pairs: ReadonlyArray<{ readonly name: string; readonly value: string }>) =>
  Object.fromEntries(pairs.map(({ name, value }) => [name, value]))

const decode = Schema.decodeUnknownEither(Servers)
const encode = Schema.encodeEither(Servers)

/** Left when a server cannot be used, such as one that speaks the old protocol of events. */
export const read = (given: ReadonlyArray<McpServer>, cwd: string): Either.Either<typeof Servers.Encoded, string> => {
  const servers: Record<string, unknown> = {}
  for (const server of given) {
    const name = nameOf(server.name, new Set(Object.keys(servers)))
    if (!("type" in server)) {
      servers[name] = { command: server.command, args: server.args, env: record(server.env), cwd }
    } else {
      servers[name] = server.type === "http" ? { url: server.url, headers: record(server.headers) } : null
    }
  }
  return Either.mapLeft(
    Either.flatMap(decode(servers), encode),
    () => "mcpServers: must be programs, or servers with an http or https URL"
  )
}
