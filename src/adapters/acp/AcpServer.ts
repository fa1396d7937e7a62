/**
 * Skein as an agent of the Agent Client Protocol, over two streams of bytes.
 *
 * - `initialize` is answered with only the protocol loaded, not even Effect, because editors wait for it.
 * - A session that an editor opened is watched until it is closed, so the editor sees what others do in it.
 * - A client that offers its files or terminals steers its sessions: their tools use these, so they run in this
 *   process.
 * - Runs belong to the engine: nothing here cancels them when the client is gone.
 */
import {
  agent,
  type ClientCapabilities,
  MessageTooLargeError,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  RequestError
} from "@agentclientprotocol/sdk"
import * as LineBounds from "./LineBounds.js"
import type { Ask, Refused } from "./Requests.js"

/** What the agent needs from the program around it. */
interface Options {
  readonly version: string
  /** Waits for what answers all requests except `initialize` and `authenticate`. Called for each of them. */
  readonly ask: () => Promise<Ask>
  /** Called when the client has said what it can do. */
  readonly onInitialize: (capabilities: ClientCapabilities) => void
}

const isRefused = (error: unknown): error is Refused =>
  error instanceof Error && "_tag" in error && error._tag === "Refused"

/** How a connection ended: the client is gone, or it sent a message that was too long to read, or had too much in it. */
export type End = "gone" | "too-long"

export interface Connection {
  readonly ended: Promise<End>
  readonly close: () => void
}

/** Serves one client. */
export const connect = (
  { ask, onInitialize, version }: Options,
  output: WritableStream<Uint8Array>,
  input: ReadableStream<Uint8Array>
): Connection => {
  const answer: Ask = async (request) => {
    try {
      return await (
        await ask()
      )(request)
    } catch (error) {
      throw isRefused(error)
        ? new RequestError(error.code, error.message, error.data)
        : new RequestError(-32603, "Something went wrong here")
    }
  }
  const done = async (request: Parameters<Ask>[0]) => {
    await answer(request)
    return {}
  }

  const connection = agent({ name: "skein" })
    .onRequest(methods.agent.initialize, ({ params }) => {
      onInitialize(params.clientCapabilities ?? {})
      return {
        protocolVersion: PROTOCOL_VERSION,
        agentInfo: { name: "skein", title: "Skein", version },
        authMethods: [],
        agentCapabilities: {
          loadSession: true,
          mcpCapabilities: { http: true },
          promptCapabilities: { image: true, embeddedContext: true },
          sessionCapabilities: { list: {}, delete: {}, resume: {}, close: {} }
        }
      }
    })
    .onRequest(methods.agent.authenticate, () => ({}))
    .onRequest(methods.agent.session.new, ({ client, params }) => answer(({ create }) => create(params, client)))
    .onRequest(methods.agent.session.load, ({ client, params }) => answer(({ reopen }) => reopen(params, client, true)))
    .onRequest(methods.agent.session.resume, ({ client, params }) =>
      answer(({ reopen }) => reopen(params, client, false))
    )
    .onRequest(methods.agent.session.list, ({ params }) => answer(({ list }) => list(params)))
    .onRequest(methods.agent.session.delete, ({ params }) => done(({ remove }) => remove(params.sessionId)))
    .onRequest(methods.agent.session.close, ({ params }) => done(({ close }) => close(params.sessionId)))
    .onRequest(methods.agent.session.setMode, ({ client, params: { modeId, sessionId } }) =>
      done(({ configure }) => configure(sessionId, "agent", modeId, client))
    )
    .onRequest(methods.agent.session.setConfigOption, ({ client, params: { configId, sessionId, value } }) =>
      answer(({ configure }) => configure(sessionId, configId, value, client))
    )
    .onRequest(methods.agent.session.prompt, ({ client, params }) => answer(({ prompt }) => prompt(params, client)))
    .onNotification(methods.agent.session.cancel, ({ params }) => answer(({ cancel }) => cancel(params.sessionId)))
    .connect(ndJsonStream(output, input.pipeThrough(LineBounds.make())))
  const endOf = (): End => {
    const reason: unknown = connection.signal.reason
    return reason instanceof MessageTooLargeError || reason instanceof LineBounds.TooMuch ? "too-long" : "gone"
  }
  return { ended: connection.closed.then(endOf, endOf), close: () => connection.close() }
}
