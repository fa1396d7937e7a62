/** A server of the Model Context Protocol, as a program, that misbehaves in the way that its argument names. */
import { Schema } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { createInterface } from "node:readline"

const [, , way = "", mark = ""] = process.argv

const send = (message: object) => {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
}
const text = (text: string) => ({ content: [{ type: "text", text }] })
const schema = { type: "object", properties: {} }
const evil = { type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } }

const odd = [
  { name: "with.dots", inputSchema: schema, annotations: { readOnlyHint: true } },
  { name: "with_dots", inputSchema: schema },
  { name: "x".repeat(100), inputSchema: schema },
  { name: "wordy", description: "y".repeat(100_000), inputSchema: schema },
  { name: "evil", inputSchema: schema, outputSchema: evil },
  { name: "evil", inputSchema: schema }
]

const flood = () => {
  const message = { method: "notifications/message", params: { level: "info", data: "flood" } }
  for (let count = 0; count < 200; count++) send(message)
  setImmediate(flood)
}

/** Answers that nobody asked for. */
const answers = () => {
  for (let count = 0; count < 200; count++) send({ id: 999_999, result: {} })
  setImmediate(answers)
}

const endless = () => {
  process.stdout.write("z".repeat(1024 * 1024), () => setImmediate(endless))
}

type Id = string | number | undefined

/** The client's answer to each question, by the question's id. */
const answered = new Map<Id, string>()
let asking: Id
/** A call that is not answered. */
let waiting: Id
let isCancelled = false

const ask = (id: string, message: string) =>
  send({ id, method: "elicitation/create", params: { message, requestedSchema: schema } })

const call = (id: Id): void => {
  switch (way) {
    case "dies":
      return process.exit(7)
    case "floods":
      return flood()
    case "huge":
      process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"`)
      return endless()
    case "crowded":
      return send({ id, result: { content: Array.from({ length: 320_000 }, () => 0) } })
    case "deep":
      process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":{"a":`)
      return void process.stdout.write(`${"[".repeat(300)}${"]".repeat(300)}}}}\n`)
    case "lies":
      process.stdout.write("this is no JSON\n{\n[]\n{}\n")
      send({ id: 999_999, result: text("an answer that nobody asked for") })
      send({ id, result: { ...text("true"), structuredContent: { a: `${"a".repeat(40)}!` } } })
      return send({ id, result: text("twice") })
    case "answers":
      return answers()
    case "asks":
      asking = id
      return ask("wordy", "w".repeat(100_000))
    case "waits":
      if (waiting === undefined) {
        waiting = id
        return send({ method: "notifications/progress", params: { progressToken: id, progress: 1 } })
      }
      return send({ id, result: text(`the call before it was ${isCancelled ? "cancelled" : "not cancelled"}`) })
    case "refuses":
      return send({ id, error: { code: -32602, message: "there is no such thing" } })
  }
}

const Message = Schema.parseJson(
  Schema.Struct({
    id: Schema.optional(Schema.Union(Schema.String, Schema.Number)),
    method: Schema.optional(Schema.String),
    result: Schema.optional(Schema.Struct({ action: Schema.String })),
    params: Schema.optional(
      Schema.Struct({
        protocolVersion: Schema.optional(Schema.String),
        requestId: Schema.optional(Schema.Union(Schema.String, Schema.Number))
      })
    )
  })
)
const decode = Schema.decodeUnknownSync(Message)

if (way === "stillborn") process.exit(3)
if (way === "fails-once" && !existsSync(mark)) {
  writeFileSync(mark, "")
  process.exit(3)
}
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params, result } = decode(line)
  if (result !== undefined) answered.set(id, result.action)
  if (id === "wordy") send({ id: asking, result: text([...answered].flat().join(" ")) })
  if (method === "notifications/cancelled" && params?.requestId === waiting) isCancelled = true
  if (method === "notifications/initialized" && way === "asks") ask("unasked", "Who are you?")
  if (method === "initialize" && way !== "silent") {
    process.stderr.write("e".repeat(1024 * 1024))
    const serverInfo = { name: "hostile", version: "1" }
    send({
      id,
      result: {
        protocolVersion: way === "ancient" ? "1066-10-14" : params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo
      }
    })
  }
  if (method === "tools/list")
    send({
      id,
      result: { tools: way === "formless" ? 7 : way === "lies" ? odd : [{ name: "go", inputSchema: schema }] }
    })
  if (method === "tools/call") call(id)
})
