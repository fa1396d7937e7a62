/** A server of the Model Context Protocol over streamable HTTP, with one tool, whose answers a test decides. */
import { Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import * as Loopback from "../../../support/Loopback.js"

const Message = Schema.parseJson(
  Schema.Struct({
    id: Schema.optional(Schema.Number),
    method: Schema.String,
    params: Schema.optional(
      Schema.Struct({
        protocolVersion: Schema.optional(Schema.String),
        requestId: Schema.optional(Schema.Number)
      })
    )
  })
)

/** What came: a message, or a request without one, whose method is its HTTP method. */
export interface Asked extends Omit<typeof Message.Type, "id"> {
  readonly http: IncomingMessage
  /** The path of the URL, without the slash. */
  readonly path: string
  readonly id: number | undefined
}

const read = Schema.decodeUnknownSync(Message)

const messageOf = async (http: IncomingMessage) => {
  const body = await text(http)
  return http.method === "POST" ? read(body) : { id: undefined, method: http.method ?? "" }
}

const json = (response: ServerResponse, id: number | undefined, result: object): void => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
}

/** A result with one text. */
export const saying = (text: string) => ({ content: [{ type: "text", text }] })

/** An event that holds a message. */
export const event = (message: object, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`

const usual = ({ id, method, params }: Asked, response: ServerResponse): void => {
  if (method === "GET" || method === "DELETE") return void response.writeHead(405).end()
  if (id === undefined) return void response.writeHead(202).end()
  if (method === "initialize") {
    const serverInfo = { name: "http", version: "1" }
    return json(response, id, { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo })
  }
  if (method === "tools/list") return json(response, id, { tools: [{ name: "go", inputSchema: { type: "object" } }] })
  json(response, id, saying("done"))
}

/** Serves until the scope is closed. `answer` says whether it has taken a message; others get the usual answer. */
export const httpServer = (answer: (asked: Asked, response: ServerResponse) => boolean) =>
  Loopback.serve((http, response) => {
    const path = http.url?.slice(1) ?? ""
    void messageOf(http).then((message) => {
      const asked = { ...message, id: message.id, http, path }
      if (!answer(asked, response)) usual(asked, response)
    })
  })
