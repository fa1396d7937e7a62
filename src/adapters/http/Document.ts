/**
 * The routes as an OpenAPI 3.1 document: each named Schema is a component, each error has its status, and event streams
 * and bytes are described, which `HttpApi` cannot do.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as OpenApi from "@effect/platform/OpenApi"
import { Predicate } from "effect"
import { SessionEvent } from "../../domain/SessionEvent.js"
import { SessionHint } from "../../domain/SessionHint.js"
import { api } from "./Api.js"

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (Predicate.isReadonlyRecord(value) ? value : {})

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` })

/** Components that no answer has: the guard turns such errors into an `InvalidInput`. */
const unused = new Set(["HttpApiDecodeError", "Issue", "PropertyKey"])

/** Returns the value without ids, with each member of a union only once, and with a reference for each component. */
const tidied = (value: unknown, names: ReadonlyMap<string, string>): unknown => {
  if (Array.isArray(value)) return value.map((one) => tidied(one, names))
  if (!Predicate.isReadonlyRecord(value)) return value
  const name = names.get(JSON.stringify(value))
  if (name !== undefined) return reference(name)
  // `unknown` and the like have the same id wherever they are used, and no document may have an id twice.
  const { $id: _, anyOf, ...rest } = value
  const fields = Object.fromEntries(Object.entries(rest).map(([key, field]) => [key, tidied(field, names)]))
  if (!Array.isArray(anyOf)) return fields
  const members = new Map(
    anyOf
      .map((one) => tidied(one, names))
      .filter((one) => fieldsOf(one)["$ref"] !== reference("HttpApiDecodeError").$ref)
      .map((one) => [JSON.stringify(one), one])
  )
  const [only] = members.values()
  return members.size === 1 ? { ...fieldsOf(only), ...fields } : { ...fields, anyOf: [...members.values()] }
}

const bytes = { "*/*": {} }

const header = (description: string) => ({ description, schema: { type: "string" } })

const parameter = (name: string, description: string) => ({
  name,
  in: "header",
  required: false,
  description,
  schema: { type: "string" }
})

const about = { etag: header("The file's SHA-256, quoted."), "accept-ranges": header("`bytes`.") }

const eventStream = (name: string, description: string) => ({
  description,
  content: { "text/event-stream": { schema: { type: "string" }, "x-event-data": reference(name) } }
})

/** Operations that differ from what `HttpApi` says about them. */
const amendments: Readonly<Record<string, (operation: Fields) => Fields>> = {
  "assets.saveAsset": (operation) => ({
    ...operation,
    requestBody: { required: true, description: "The file as it is; its type is the content type.", content: bytes }
  }),
  "assets.openAsset": (operation) => ({
    ...operation,
    parameters: [
      ...listOf(operation["parameters"]),
      parameter("range", "One range of bytes."),
      parameter("if-range", "The range only while the file has this `etag`."),
      parameter("if-none-match", "304 while the file has one of these `etag`s.")
    ],
    responses: {
      ...fieldsOf(operation["responses"]),
      200: { description: "The file.", headers: about, content: bytes },
      206: {
        description: "A part of it.",
        headers: { ...about, "content-range": header("Which part.") },
        content: bytes
      },
      304: { description: "It has not changed.", headers: about }
    }
  }),
  "events.events": (operation) => ({
    ...operation,
    responses: {
      ...fieldsOf(operation["responses"]),
      200: eventStream(
        "SessionEvent",
        "Events: `id` is the cursor, for durable events only; `event` is the type; `data` is the JSON of a SessionEvent. Also, without an id: `synced { cursor }` once all events have been sent that were there when the client connected, which is the end with `live=false`, `reload { oldest, newest }` if the events after the cursor are gone, `closing { retryMillis }` before the server stops, `error`, and comments as heartbeats."
      )
    }
  }),
  "events.changes": (operation) => ({
    ...operation,
    responses: {
      ...fieldsOf(operation["responses"]),
      200: eventStream("SessionHint", "Hints: `event` is the kind, `data` the JSON of a SessionHint. None has an id.")
    }
  })
}

const amended = (operation: unknown): Fields => {
  const fields = fieldsOf(operation)
  const amend = amendments[String(fields["operationId"])]
  return amend === undefined ? fields : amend(fields)
}

const described = HttpApi.AdditionalSchemas

/** Builds the document from scratch at each call; a host that serves it should keep it. */
export const openApi = (): Fields => {
  const { components, paths, ...document } = OpenApi.fromApi(
    api
      .annotate(described, [SessionEvent, SessionHint])
      .annotate(OpenApi.Title, "Skein")
      .annotate(OpenApi.Version, "1")
      .annotate(OpenApi.Description, "Agent sessions: their transcripts, runs, questions, files and events.")
  )
  const schemas = Object.entries(components.schemas).filter(([name]) => !unused.has(name))
  const names = new Map(schemas.map(([name, schema]) => [JSON.stringify(schema), name]))
  const tidy = (value: unknown) => tidied(value, names)
  return {
    ...document,
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, operations]) => [
        path,
        Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, amended(tidy(operation))]))
      ])
    ),
    components: {
      ...components,
      schemas: Object.fromEntries(
        schemas.map(([name, schema]) => [
          name,
          Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, tidy(value)]))
        ])
      )
    }
  }
}
