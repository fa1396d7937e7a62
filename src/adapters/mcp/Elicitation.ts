/**
 * What a server asks the user while it works on a call, as a question of Skein. A server does not say which call it
 * asks for. It is taken to be the newest one, as long as all calls that the server works on are of one session.
 * Otherwise, and without any call, the request is declined, because nobody can tell who is meant.
 */
import type { ElicitRequestFormParams, ElicitRequestParams, ElicitResult } from "@modelcontextprotocol/client"
import * as Inquiry from "../../domain/Inquiry.js"

/** A call that a server works on, and for which it may ask. */
export interface Asker {
  /** Calls with the same value are of one session. */
  readonly session: string
  /** Asks the call's person. Resolves to null if that cannot be asked. Rejects when the call is over. */
  readonly ask: (inquiry: Inquiry.Inquiry, signal: AbortSignal) => Promise<Inquiry.Reply | null>
}

type Property = ElicitRequestFormParams["requestedSchema"]["properties"][string]

type Shape = Omit<Inquiry.Field, "name" | "title" | "about" | "isRequired">

const limits = (least: number | undefined, most: number | undefined) => ({
  ...(least === undefined ? {} : { least }),
  ...(most === undefined ? {} : { most })
})

const initialOf = (initial: Inquiry.Value | undefined) => (initial === undefined ? {} : { initial })

const plain = (values: ReadonlyArray<string>, titles: ReadonlyArray<string> = []): ReadonlyArray<Inquiry.Option> =>
  values.map((value, index) => ({ value, title: titles[index] ?? value }))

const titled = (options: ReadonlyArray<{ readonly const: string; readonly title: string }>) =>
  options.map((option) => ({ value: option.const, title: option.title }))

const shapeOf = (property: Property): Shape => {
  switch (property.type) {
    case "boolean":
      return { kind: "boolean", ...initialOf(property.default) }
    case "number":
    case "integer":
      return {
        kind: property.type,
        ...limits(property.minimum, property.maximum),
        ...initialOf(property.default)
      }
    case "array": {
      const { items, maxItems, minItems } = property
      const options = "anyOf" in items ? titled(items.anyOf) : plain(items.enum)
      return { kind: "choices", options, ...limits(minItems, maxItems), ...initialOf(property.default) }
    }
    case "string": {
      if ("oneOf" in property)
        return { kind: "choice", options: titled(property.oneOf), ...initialOf(property.default) }
      if ("enum" in property) {
        const titles = "enumNames" in property ? property.enumNames : []
        return { kind: "choice", options: plain(property.enum, titles), ...initialOf(property.default) }
      }
      return { kind: "text", ...limits(property.minLength, property.maxLength), ...initialOf(property.default) }
    }
  }
}

const fieldOf = (name: string, property: Property, required: ReadonlyArray<string>): Inquiry.Field => ({
  name,
  title: property.title ?? name,
  ...(property.description === undefined ? {} : { about: property.description }),
  isRequired: required.includes(name),
  ...shapeOf(property)
})

/** What is asked for, in Skein's form. Schemas are read, and never compiled. */
const inquiryOf = (server: string, params: ElicitRequestParams): Inquiry.Inquiry => {
  if (params.mode === "url") return { from: server, text: params.message, fields: [], link: params.url }
  const { properties, required = [] } = params.requestedSchema
  const fields = Object.entries(properties).map(([name, property]) => fieldOf(name, property, required))
  return { from: server, text: params.message, fields }
}

const contentOf = (values: Inquiry.Values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === "object" ? [...value] : value])
  )

/** The call that is meant; null when that is not known. */
const meant = (askers: ReadonlySet<Asker>): Asker | null => {
  const all = [...askers]
  const newest = all.at(-1)
  return newest !== undefined && all.every(({ session }) => session === newest.session) ? newest : null
}

/** Answers a server that asks. */
export const answer = async (
  server: string,
  askers: ReadonlySet<Asker>,
  params: ElicitRequestParams,
  signal: AbortSignal
): Promise<ElicitResult> => {
  const asker = meant(askers)
  if (asker === null) return { action: "decline" }
  const reply = await asker.ask(inquiryOf(server, params), signal).catch(() => "over" as const)
  if (reply === "over" || reply?._tag === "Dismissed") return { action: "cancel" }
  if (reply?._tag !== "Given") return { action: "decline" }
  return params.mode === "url" ? { action: "accept" } : { action: "accept", content: contentOf(reply.values) }
}
