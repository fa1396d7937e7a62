/**
 * What an editor talks to first: it answers `initialize` before the command itself is loaded. Only the protocol is on
 * stdout.
 */
import type { ClientCapabilities } from "@agentclientprotocol/sdk"
import { Readable, Writable } from "node:stream"
import * as AcpServer from "../acp/AcpServer.js"
import type { Ask } from "../acp/Requests.js"

let offered: ClientCapabilities = {}
let attach: (ask: Ask) => void = () => {}
let ended: Promise<AcpServer.End> = Promise.resolve("gone")

/** What the editor said it can do. */
export const capabilities = (): ClientCapabilities => offered

/**
 * Begins to listen. Resolves to true once the command is needed: the editor has its first answer, has asked for more,
 * or has sent too long a message. Resolves to false when the editor is gone before that.
 */
export const start = (version: string): Promise<boolean> => {
  const asking = new Promise<Ask>((resolve) => {
    attach = resolve
  })
  return new Promise((resolve) => {
    const connection = AcpServer.connect(
      {
        version,
        ask: () => {
          resolve(true)
          return asking
        },
        onInitialize: (capabilities) => {
          offered = capabilities
          // The answer is written before anything that would delay it is loaded.
          setImmediate(() => setImmediate(() => resolve(true)))
        }
      },
      Writable.toWeb(process.stdout),
      Readable.toWeb(process.stdin)
    )
    ended = connection.ended
    void ended.then((end) => resolve(end !== "gone"))
  })
}

/** Answers the editor's requests until the connection ends. */
export const serve = (ask: Ask): Promise<AcpServer.End> => {
  attach(ask)
  return ended
}
