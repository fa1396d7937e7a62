/** What a call asks while it runs, as forms and links of the protocol, for editors that show them. Pure. */
import type {
  CreateElicitationRequest,
  ElicitationCapabilities,
  ElicitationPropertySchema
} from "@agentclientprotocol/sdk"
import { Predicate, Schema } from "effect"
import { type Field, type Inquiry, Value, type Values } from "../../domain/Inquiry.js"
import type { Question } from "../../domain/Permission.js"
import type { Answer } from "../../services/gateway/Gateway.js"

const text = (value: Value | undefined) => (typeof value === "string" ? { default: value } : {})
const number = (value: Value | undefined) => (typeof value === "number" ? { default: value } : {})

const propertyOf = (field: Field): ElicitationPropertySchema => {
  const { about, initial, kind, least = null, most = null, options = [], title } = field
  const said = { title, ...(about === undefined ? {} : { description: about }) }
  const choices = options.map(({ title, value }) => ({ const: value, title }))
  switch (kind) {
    case "text":
      return { type: "string", ...said, minLength: least, maxLength: most, ...text(initial) }
    case "number":
    case "integer":
      return { type: kind, ...said, minimum: least, maximum: most, ...number(initial) }
    case "boolean":
      return { type: "boolean", ...said, ...(typeof initial === "boolean" ? { default: initial } : {}) }
    case "choice":
      return { type: "string", ...said, oneOf: choices, ...text(initial) }
    case "choices":
      return {
        type: "array",
        ...said,
        items: { anyOf: choices },
        minItems: least,
        maxItems: most,
        ...(typeof initial === "object" ? { default: [...initial] } : {})
      }
  }
}

/** The question in a form that the editor can show; null when it cannot show it. */
export const requestOf = (
  { callId, id, sessionId }: Question,
  { fields, from, link, text }: Inquiry,
  offered: ElicitationCapabilities | null | undefined
): CreateElicitationRequest | null => {
  const common = { sessionId, toolCallId: callId, message: `${from}: ${text}` }
  if (link !== undefined) return offered?.url ? { ...common, mode: "url", elicitationId: id, url: link } : null
  if (!offered?.form) return null
  return {
    ...common,
    mode: "form",
    requestedSchema: {
      type: "object",
      properties: Object.fromEntries(fields.map((field) => [field.name, propertyOf(field)])),
      required: fields.filter(({ isRequired }) => isRequired).map(({ name }) => name)
    }
  }
}

const isValue = Schema.is(Value)

const valuesOf = (content: unknown): Values =>
  Object.fromEntries(
    Object.entries(Predicate.isReadonlyRecord(content) ? content : {}).flatMap(([name, value]) =>
      isValue(value) ? [[name, value] as const] : []
    )
  )

/** What the person answered. Whatever is no answer dismisses the question. */
export const answerOf = (response: unknown): Omit<Answer, "questionId"> => {
  const { action = null, content = null } = Predicate.isReadonlyRecord(response) ? response : {}
  if (action === "decline") return { verdict: "deny" }
  return action === "accept"
    ? { verdict: "allow-once", values: valuesOf(content) }
    : { verdict: "deny", isDismissed: true }
}
