/**
 * `fetch` for an untrusted server: an answer of more than 32 MiB, or with a message that has too much in it, is cut off.
 * A stream that stays open counts as one answer, and its reader opens it again.
 */
import type { FetchLike } from "@modelcontextprotocol/client"
import { Predicate } from "effect"
import * as MediaType from "./MediaType.js"
import * as MessageBounds from "./MessageBounds.js"

const most = 32 * 1024 * 1024

/** Told when a message had too much in it, before its reader sees that it is cut off. */
type OnExcess = (error: MessageBounds.Misbehaved) => void

const bounded = (
  take: ReturnType<typeof MessageBounds.ofMessage>,
  onExcess: OnExcess
): TransformStream<Uint8Array, Uint8Array> => {
  let seen = 0
  return new TransformStream({
    transform: (chunk, controller) => {
      seen += chunk.byteLength
      if (seen > most) return controller.error(new MessageBounds.Misbehaved(`sent an answer of over ${most} bytes`))
      const excess = take(chunk)
      if (excess === null) return controller.enqueue(chunk)
      onExcess(excess)
      controller.error(excess)
    }
  })
}

export const boundedFetch =
  (onExcess: OnExcess): FetchLike =>
  async (url, init) => {
    const response = await fetch(url, init)
    const { body, headers, status, statusText } = response
    if (body === null) return response
    const take =
      MediaType.of(headers.get("content-type")) === "text/event-stream"
        ? MessageBounds.ofEvents()
        : MessageBounds.ofMessage()
    return new Response(body.pipeThrough(bounded(take, onExcess)), { headers, status, statusText })
  }

/** The error codes that are passed on. The client package prints them; other text could hold what was sent there. */
const errorWord = /^[a-z_]{1,64}$/u

const wordOf = async (response: Response): Promise<string> => {
  const said: unknown = await response.json().catch(() => null)
  const word = Predicate.hasProperty(said, "error") && Predicate.isString(said.error) ? said.error : ""
  return errorWord.test(word) ? word : "server_error"
}

/** The same for a server with a login: of an authorization server's refusal, only the error code is kept. */
export const fetchWithLogin =
  (server: string, onExcess: OnExcess = () => {}): FetchLike =>
  async (url, init) => {
    const response = await boundedFetch(onExcess)(url, init)
    if (response.status < 400 || String(url).split("?")[0] === server.split("?")[0]) return response
    const { headers, status } = response
    return Response.json({ error: await wordOf(response) }, { status, headers: headersOf(headers) })
  }

/** The headers that are kept of a refusal. Its length and coding belong to the text that is replaced. */
const headersOf = (headers: Headers): Headers => {
  const challenge = headers.get("www-authenticate")
  return new Headers(challenge === null ? {} : { "www-authenticate": challenge })
}
