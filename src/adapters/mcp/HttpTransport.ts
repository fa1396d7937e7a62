/**
 * Speaks to a server over streamable HTTP. Redirects are followed only within the server's origin: its headers and its
 * login are secrets.
 */
import type { AuthProvider, Transport } from "@modelcontextprotocol/client"
import { boundedFetch, fetchWithLogin } from "./BoundedFetch.js"
import type { Misbehaved } from "./MessageBounds.js"
import type { Remote } from "./Settings.js"

type Sdk = Pick<typeof import("@modelcontextprotocol/client"), "StreamableHTTPClientTransport">

export const make = (
  { StreamableHTTPClientTransport }: Sdk,
  { headers, url }: Remote,
  authProvider: AuthProvider | null
): Transport => {
  const giveUp = (error: Misbehaved) => {
    transport.onerror?.(error)
    void transport.close()
  }
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: authProvider === null ? boundedFetch(giveUp) : fetchWithLogin(url, giveUp),
    redirectPolicy: "same-origin",
    ...(authProvider === null ? {} : { authProvider }),
    requestInit: { headers: { ...headers } }
  })
  return transport
}
