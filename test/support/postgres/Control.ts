/**
 * The PostgreSQL servers of a test run, for its workers: they ask the process that runs Vitest. It starts the shared
 * server when the first worker asks for it, and other servers, each for one test that stops or breaks it. A run in
 * which no worker asks loads and starts nothing.
 */
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Shared } from "./Databases.js"

/** How a worker asks: with a POST to `/ready`, `/shared`, `/own`, or `/own/NUMBER/DEED`. */
export interface Address {
  readonly url: string
  /** A secret that other programs on this machine do not know. */
  readonly token: string
}

export interface Answer extends Shared {
  readonly number: number
}

export interface Keeper {
  readonly answer: (path: string) => Promise<Answer>
  /** Ends all servers. */
  readonly close: () => Promise<void>
}

/** Begins to listen to the workers. `close` ends all servers. */
export const open = async (): Promise<{ readonly address: Address; readonly close: () => Promise<void> }> => {
  const token = randomBytes(16).toString("hex")
  let keeper: Promise<Keeper> | undefined
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.headers.authorization !== token) return void response.writeHead(403).end()
    try {
      keeper ??= import("./Keeper.js").then(({ open }) => open())
      response.end(JSON.stringify(await (await keeper).answer(request.url ?? "")))
    } catch (thrown) {
      response.writeHead(500).end(String(thrown))
    }
  }
  const server = createServer((request, response) => void handle(request, response)).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return {
    address: { url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, token },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await (await keeper)?.close()
    }
  }
}
