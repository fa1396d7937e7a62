/**
 * A server of the Model Context Protocol, as a program, whose answers are its argument: JSON with a result, or an error,
 * for each method. A page of a list after the first is under the method and its cursor. Like some servers that exist, it
 * puts a null error beside a result.
 */
import { Schema } from "effect"
import { createInterface } from "node:readline"

const Answers = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const answers = Schema.decodeUnknownSync(Answers)(process.argv[2])

const Message = Schema.parseJson(
  Schema.Struct({
    id: Schema.optional(Schema.Number),
    method: Schema.String,
    params: Schema.optional(
      Schema.Struct({ protocolVersion: Schema.optional(Schema.String), cursor: Schema.optional(Schema.String) })
    )
  })
)
const decode = Schema.decodeUnknownSync(Message)

const capabilities = { tools: {}, prompts: {}, resources: {} }

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = decode(line)
  if (id === undefined) return
  const { cursor, protocolVersion } = params ?? {}
  const initialized = { protocolVersion, capabilities, serverInfo: { name: "scripted", version: "1" } }
  const answer = method === "initialize" ? initialized : answers[cursor === undefined ? method : `${method} ${cursor}`]
  const said =
    answer === undefined
      ? { error: { code: -32601, message: "there is no such method" } }
      : { result: answer, error: null }
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...said })}\n`)
})
