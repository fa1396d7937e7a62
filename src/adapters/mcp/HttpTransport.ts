/**
 * Speaks to a server over streamable HTTP. Redirects are followed only within the server's origin: its headers and its
 * login are secrets.
 *
 * An answer is a stream, or JSON that is there as a whole: then whoever waits for more in it is told that it has ended.
 * How long a request may take is up to who makes it.
 */
import type { AuthProvider, FetchLike, Transport } from "@modelcontextprotocol/client"
import { AsyncLocalStorage } from "node:async_hooks"
import * as NodeLimits from "../NodeLimits.js"
import { boundedFetch, fetchWithLogin } from "./BoundedFetch.js"
import * as MediaType from "./MediaType.js"
import type { Misbehaved } from "./MessageBounds.js"
import type { Remote } from "./Settings.js"

type Sdk = Pick<typeof import("@modelcontextprotocol/client"), "StreamableHTTPClientTransport">

/** The status of an answer that says nothing yet: the result may come on another stream. */
const accepted = 202

/** A message that is being sent. */
interface Sending {
  readonly isRequest: boolean
  /** Whether its answer is JSON. */
  isWhole: boolean
}

export const make = (
  { StreamableHTTPClientTransport }: Sdk,
  { headers, url }: Remote,
  authProvider: AuthProvider | null
): Transport => {
  const giveUp = (error: Misbehaved) => {
    transport.onerror?.(error)
    void transport.close()
  }
  const ask = authProvider === null ? boundedFetch(giveUp) : fetchWithLogin(url, giveUp)
  const current = new AsyncLocalStorage<Sending>()
  const heard: FetchLike = async (url, init = {}) => {
    const sending = current.getStore()
    const response = await ask(url, sending?.isRequest === true ? NodeLimits.lifted(init) : init)
    const { headers, status } = response
    if (sending !== undefined)
      sending.isWhole = status !== accepted && MediaType.of(headers.get("content-type")) === "application/json"
    return response
  }
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: heard,
    redirectPolicy: "same-origin",
    ...(authProvider === null ? {} : { authProvider }),
    requestInit: { headers: { ...headers } }
  })
  const send = transport.send.bind(transport)
  transport.send = (message, options) => {
    const sending: Sending = { isRequest: "method" in message && "id" in message, isWhole: false }
    return current.run(sending, async () => {
      await send(message, options)
      if (sending.isWhole) options?.onRequestStreamEnd?.()
    })
  }
  return transport
}
