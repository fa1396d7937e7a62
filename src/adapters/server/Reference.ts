/**
 * A reference of the api for people: a page made from its OpenAPI document, and the document itself. Plain HTML without
 * scripts, made when it is first asked for. All texts are escaped, and nothing is loaded from elsewhere.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Predicate } from "effect"
import { openApi } from "../http/Document.js"

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (Predicate.isReadonlyRecord(value) ? value : {})
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const textOf = (value: unknown): string => (Predicate.isString(value) ? value : "")

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? "")

/** Renders a text in which code is in backticks. */
const prose = (value: unknown): string => escaped(textOf(value)).replace(/`([^`]*)`/g, "<code>$1</code>")

const element = (name: string, content: string, attributes = ""): string =>
  content === "" ? "" : `<${name}${attributes}>${content}</${name}>\n`

const componentPrefix = "#/components/schemas/"

/** The components that a value names, in order, each once. */
const namesIn = (value: unknown): ReadonlyArray<string> => {
  const names = [...JSON.stringify(value ?? null).matchAll(/"#\/components\/schemas\/([A-Za-z0-9_.-]+)"/g)]
  return [...new Set(names.map(([, name = ""]) => name))]
}

const link = (name: string): string => `<a href="#${escaped(name)}"><code>${escaped(name)}</code></a>`

/** Describes a schema in a few words. */
const kindOf = (value: unknown): string => {
  const schema = fieldsOf(value)
  const reference = textOf(schema["$ref"])
  if (reference.startsWith(componentPrefix)) return link(reference.slice(componentPrefix.length))
  const members = [...listOf(schema["anyOf"]), ...listOf(schema["oneOf"])]
  if (members.length > 0) return [...new Set(members.map(kindOf))].join(" or ")
  const values = listOf(schema["enum"])
  if (values.length > 0) return values.map((one) => `<code>${escaped(JSON.stringify(one))}</code>`).join(" or ")
  const type = [schema["type"]].flat().map(textOf).join(" or ")
  if (type === "array") return `list of ${kindOf(schema["items"])}`
  return type === "" ? "any value" : escaped(type)
}

const row = (...cells: ReadonlyArray<string>): string =>
  `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>\n`

const table = (rows: ReadonlyArray<string>): string => element("table", element("tbody", rows.join("")))

const parameterRow = (value: unknown): string => {
  const parameter = fieldsOf(value)
  const where = `${escaped(textOf(parameter["in"]))}${parameter["required"] === true ? ", required" : ""}`
  const about = [kindOf(parameter["schema"]), prose(parameter["description"])].filter((text) => text !== "")
  return row(`<code>${escaped(textOf(parameter["name"]))}</code>`, where, about.join(". "))
}

/** What a body or an answer holds, by its content types. */
const contentOf = (value: unknown): string =>
  Object.entries(fieldsOf(fieldsOf(value)["content"]))
    .map(([type, one]) => {
      const { schema, ...more } = fieldsOf(one)
      const named = namesIn(more).map(link).join(", ")
      return `<code>${escaped(type)}</code> ${named || (schema === undefined ? "" : kindOf(schema))}`
    })
    .join(", ")

/** Whether a text is what `HttpApi` puts where there is no description. */
const isNoDescription = (text: string): boolean => /^(?:Success|Error|[A-Z]\w*)$/.test(text)

const responseRow = ([status, value]: readonly [string, unknown]): string =>
  row(
    `<code>${escaped(status)}</code>`,
    [contentOf(value), prose(fieldsOf(value)["description"])]
      .filter((text) => text !== "" && !isNoDescription(text))
      .join(". ")
  )

const operation = (path: string, method: string, value: unknown): string => {
  const { description, operationId, parameters, requestBody, responses, summary } = fieldsOf(value)
  const body = contentOf(requestBody)
  return element(
    "section",
    [
      element("h3", `<code>${escaped(method.toUpperCase())} ${escaped(path)}</code>`),
      element("p", `<code>${escaped(textOf(operationId).replace(/^.*\./, ""))}</code> of <code>skein/client</code>`),
      element("p", prose(summary) || prose(description)),
      table(listOf(parameters).map(parameterRow)),
      body === "" ? "" : element("p", `Body: ${body}. ${prose(fieldsOf(requestBody)["description"])}`),
      element("h4", "Answers"),
      table(Object.entries(fieldsOf(responses)).map(responseRow))
    ].join(""),
    ` id="${escaped(textOf(operationId))}"`
  )
}

const component = ([name, value]: readonly [string, unknown]): string => {
  const schema = fieldsOf(value)
  const required = new Set(listOf(schema["required"]))
  const fields = Object.entries(fieldsOf(schema["properties"])).map(([field, of]) =>
    row(
      `<code>${escaped(field)}</code>`,
      required.has(field) ? "always" : "",
      [kindOf(of), prose(fieldsOf(of)["description"])].filter((text) => text !== "").join(". ")
    )
  )
  return element(
    "section",
    [
      element("h3", `<code>${escaped(name)}</code>`),
      element("p", prose(schema["description"])),
      fields.length === 0 ? element("p", kindOf(schema)) : table(fields)
    ].join(""),
    ` id="${escaped(name)}"`
  )
}

const style = `:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid; padding: 0.3rem 1rem 0.3rem 0; vertical-align: top }
section { margin-top: 2.5rem }
:target { outline: 2px solid; outline-offset: 0.5rem }
`

const page = (document: Fields): string => {
  const info = fieldsOf(document["info"])
  const operations = Object.entries(fieldsOf(document["paths"])).flatMap(([path, methods]) =>
    Object.entries(fieldsOf(methods)).map(([method, of]) => operation(path, method, of))
  )
  const components = Object.entries(fieldsOf(fieldsOf(document["components"])["schemas"]))
  const title = escaped(textOf(info["title"]))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}: reference</title>
<link rel="stylesheet" href="reference.css">
<h1>${title}</h1>
<p>${prose(info["description"])} The same for programs: <a href="openapi.json">openapi.json</a>.</p>
<h2>Requests</h2>
${operations.join("")}<h2>Values</h2>
${components.map(component).join("")}</html>
`
}

const answer = (contentType: string, make: () => string): HttpApp.Default => {
  let text: string | null = null
  return Effect.sync(() => HttpServerResponse.text((text ??= make()), { contentType }))
}

/** The files by path. They are read by GET. */
export const files: ReadonlyMap<string, HttpApp.Default> = new Map([
  ["/reference", answer("text/html; charset=utf-8", () => page(openApi()))],
  ["/reference.css", answer("text/css; charset=utf-8", () => style)],
  ["/openapi.json", answer("application/json", () => JSON.stringify(openApi()))]
])
