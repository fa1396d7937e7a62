/**
 * Servers of the Model Context Protocol that an editor names for a session, in the form that a configuration has. They
 * are trusted as the editor's user is: programs among them are started. One that cannot be used is left out. Pure.
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

/** The settings of a server; null for one of a kind that is not supported, such as the old protocol of events. */
const settingsOf = (server: McpServer, cwd: string) => {
  if (!("type" in server)) return { command: server.command, args: server.args, env: record(server.env), cwd }
  return server.type === "http" ? { url: server.url, headers: record(server.headers) } : null
}

/** The servers that can be used, and the names of the others as the editor has them. */
export interface ClientServers {
  readonly servers: typeof Servers.Encoded
  readonly leftOut: ReadonlyArray<string>
}

export const read = (given: ReadonlyArray<McpServer>, cwd: string): ClientServers => {
  const servers: Record<string, (typeof Servers.Encoded)[string]> = {}
  const leftOut: Array<string> = []
  for (const server of given) {
    const name = nameOf(server.name, new Set(Object.keys(servers)))
    const one = Either.getOrNull(Either.flatMap(decode({ [name]: settingsOf(server, cwd) }), encode))
    if (one === null) leftOut.push(server.name)
    else Object.assign(servers, one)
  }
  return { servers, leftOut }
}
