/** Checks what an agent sends against the protocol's own JSON Schema, which its SDK ships. */
import type * as acp from "@agentclientprotocol/sdk"
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import { Predicate, Schema } from "effect"
import { createRequire } from "node:module"

const Definition = Schema.Struct({
  "x-method": Schema.optional(Schema.String),
  "x-side": Schema.optional(Schema.Literal("agent", "client", "protocol"))
})
const Document = Schema.Struct({ $defs: Schema.Record({ key: Schema.String, value: Definition }) })

const document: unknown = createRequire(import.meta.url)("@agentclientprotocol/sdk/schema/v1/schema.json")
const { $defs } = Schema.decodeUnknownSync(Document)(document)

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false })
ajv.addSchema(Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.Unknown }))(document), "acp")

/** The definition of a method's request, response or notification; null when there is none. */
const definitionOf = (kind: "Request" | "Response" | "Notification", method: string, sides: ReadonlyArray<string>) =>
  Object.entries($defs).find(
    ([name, definition]) =>
      name.endsWith(kind) && definition["x-method"] === method && sides.includes(definition["x-side"] ?? "")
  )?.[0] ?? null

const validators = new Map<string, ValidateFunction>()

const validatorOf = (definition: string): ValidateFunction => {
  const known = validators.get(definition)
  if (known !== undefined) return known
  const made = ajv.compile({ $ref: `acp#/$defs/${definition}`, unevaluatedProperties: false })
  validators.set(definition, made)
  return made
}

/** What is wrong with a value. An update is checked by itself too, because only there fields that it has not are seen. */
const flawsOf = (definition: string | null, method: string, value: unknown): ReadonlyArray<string> => {
  if (definition === null) return [`${method}: the protocol has no such message`]
  if (definition === "SessionNotification" && Predicate.hasProperty(value, "update")) {
    const ofUpdate = flawsOf("SessionUpdate", method, value.update)
    if (ofUpdate.length > 0) return ofUpdate
  }
  const validate = validatorOf(definition)
  if (validate(value)) return []
  const [first] = validate.errors ?? []
  return [`${definition}${first?.instancePath ?? ""}: ${first?.message ?? "?"} in ${JSON.stringify(value)}`]
}

interface Wire {
  /** The same stream, watched. */
  readonly stream: acp.Stream
  /** What was wrong with what came from the agent. */
  readonly flaws: ReadonlyArray<string>
}

/** Watches an editor's stream of messages. */
export const watch = ({ readable, writable }: acp.Stream): Wire => {
  const flaws: Array<string> = []
  const asked = new Map<unknown, string>()
  const onSent = (message: unknown) => {
    if (Predicate.hasProperty(message, "method") && Predicate.hasProperty(message, "id"))
      asked.set(message.id, String(message.method))
  }
  const onReceived = (message: object) => {
    if (!("jsonrpc" in message) || message.jsonrpc !== "2.0") flaws.push(`not JSON-RPC: ${JSON.stringify(message)}`)
    if ("method" in message) {
      const method = String(message.method)
      const kind = "id" in message ? "Request" : "Notification"
      const params = "params" in message ? message.params : undefined
      flaws.push(...flawsOf(definitionOf(kind, method, ["client", "protocol"]), method, params))
    } else if ("result" in message) {
      const method = asked.get("id" in message ? message.id : null) ?? "nothing"
      flaws.push(...flawsOf(definitionOf("Response", method, ["agent"]), method, message.result))
    } else flaws.push(...flawsOf("Error", "error", "error" in message ? message.error : undefined))
  }
  const sent = new TransformStream<acp.AnyMessage, acp.AnyMessage>({
    transform: (message, controller) => {
      onSent(message)
      controller.enqueue(message)
    }
  })
  const received = new TransformStream<acp.AnyMessage, acp.AnyMessage>({
    transform: (message, controller) => {
      onReceived(message)
      controller.enqueue(message)
    }
  })
  void sent.readable.pipeTo(writable).catch(() => {})
  return { stream: { readable: readable.pipeThrough(received), writable: sent.writable }, flaws }
}
