/**
 * What an editor speaks to first: it answers `initialize` before the command itself is loaded. Nothing but the protocol is
 * on stdout.
 */
import type { ClientCapabilities } from "@agentclientprotocol/sdk"
import { Readable, Writable } from "node:stream"
import * as AcpServer from "../acp/AcpServer.js"
import type { Ask } from "../acp/Requests.js"

let offered: ClientCapabilities = {}
let attach: (ask: Ask) => void = () => {}
let ended: Promise<AcpServer.End> = Promise.resolve("gone")

/** What the editor said that it can do. */
export const capabilities = (): ClientCapabilities => offered

/**
 * Begins to listen. Resolves once the command is wanted: the editor has its first answer, asks for more, or is no editor; to
 * false when it is gone before.
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
          // The answer is written before what would hold it up is loaded.
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

/** Answers what the editor asks, to the end. */
export const serve = (ask: Ask): Promise<AcpServer.End> => {
  attach(ask)
  return ended
}
