/**
 * Watches over what is exchanged with a server, whatever the transport:
 *
 * - A request fails as soon as no result can come any more: its answer has ended, or is not of the protocol's form.
 * - Once a request is cancelled, the stream with its answer is closed.
 * - A server that sends too many messages that nobody asked for is given up, and its transport closed.
 */
import type {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  JSONRPCMessage,
  RequestId,
  Transport
} from "@modelcontextprotocol/client"
import { Predicate } from "effect"
import { Misbehaved } from "./MessageBounds.js"

interface Guards {
  readonly isJSONRPCErrorResponse: typeof isJSONRPCErrorResponse
  readonly isJSONRPCResultResponse: typeof isJSONRPCResultResponse
}

/** The most messages that nobody asked for, and the milliseconds within which they are counted. */
const mostUnasked = 5_000
const unaskedMillis = 10_000

const makeFlood = () => {
  let count = 0
  let since = 0
  /** Counts one. Returns whether there are too many. */
  return (): boolean => {
    const now = performance.now()
    if (now - since > unaskedMillis) {
      since = now
      count = 0
    }
    return ++count > mostUnasked
  }
}

/** A failure of a request, in the form of a server's answer. No server can make one, because it holds an object. */
const failed = (id: RequestId, why: Misbehaved): JSONRPCMessage => ({
  jsonrpc: "2.0",
  id,
  error: { code: -32_603, message: "", data: why }
})

/** Why a request failed, if it was failed here; null for any other failure. */
export const whyFailed = (thrown: unknown): Misbehaved | null =>
  Predicate.hasProperty(thrown, "data") && thrown.data instanceof Misbehaved ? thrown.data : null

/** The request that a message answers; null when it is no answer. */
const answeredBy = (message: JSONRPCMessage): RequestId | null =>
  "id" in message && !("method" in message) && message.id !== undefined ? message.id : null

/** The request that a message cancels; null when it cancels none. */
const cancelledBy = (message: JSONRPCMessage): unknown =>
  "method" in message && message.method === "notifications/cancelled" ? (message.params?.["requestId"] ?? null) : null

/** Messages over another transport. */
export const over = ({ isJSONRPCErrorResponse, isJSONRPCResultResponse }: Guards, inner: Transport): Transport => {
  /** The requests without an answer, and what closes the streams on which it is to come. */
  const waiting = new Map<unknown, AbortController>()
  const isFlood = makeFlood()

  const fail = (id: RequestId, why: string) => {
    if (waiting.delete(id)) outer.onmessage?.(failed(id, new Misbehaved(why)))
  }

  /** Servers put more beside a result than the client package allows. */
  const bare = (message: JSONRPCMessage): JSONRPCMessage =>
    "result" in message && Predicate.isReadonlyRecord(message.result)
      ? { jsonrpc: "2.0", id: message.id, result: message.result }
      : message

  const outer: Transport = {
    start: () => {
      inner.onclose = () => {
        waiting.clear()
        outer.onclose?.()
      }
      inner.onerror = (error) => outer.onerror?.(error)
      inner.onmessage = (message, extra) => {
        const id = answeredBy(message)
        if (id !== null && waiting.has(id)) {
          const answer = bare(message)
          if (!isJSONRPCResultResponse(answer) && !isJSONRPCErrorResponse(answer)) {
            return fail(id, "its answer does not keep to the protocol")
          }
          waiting.delete(id)
          return outer.onmessage?.(answer, extra)
        }
        if (!isFlood()) return outer.onmessage?.(message, extra)
        inner.onmessage = () => {}
        outer.onerror?.(new Misbehaved(`sent over ${mostUnasked} messages that nobody asked for`))
        void inner.close()
      }
      return inner.start()
    },
    send: async (message, options) => {
      if ("method" in message && "id" in message) {
        const { id } = message
        const controller = new AbortController()
        waiting.set(id, controller)
        const onRequestStreamEnd = () => fail(id, "ended its answer without a result")
        try {
          return await inner.send(message, { ...options, requestSignal: controller.signal, onRequestStreamEnd })
        } catch (thrown) {
          waiting.delete(id)
          throw thrown
        }
      }
      const sent = inner.send(message, options)
      // Not after it: a server may refuse the message, or never take it.
      const cancelled = cancelledBy(message)
      waiting.get(cancelled)?.abort()
      waiting.delete(cancelled)
      await sent
    },
    close: () => inner.close(),
    setProtocolVersion: (version) => inner.setProtocolVersion?.(version),
    get sessionId() {
      return inner.sessionId
    }
  }
  return outer
}
