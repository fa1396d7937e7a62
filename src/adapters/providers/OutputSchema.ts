/**
 * The JSON Schema of an answer, in the form for vendors that hold their models to one. They accept only a part of JSON
 * Schema, and refuse a request with more.
 *
 * Guaranteed: whatever is valid by the given schema is valid by the one that is sent. Limits on a text, a number or a
 * list that a vendor cannot enforce are put into the description instead, and checked when the answer is read.
 */
import { Predicate } from "effect"

type Schema = Readonly<Record<string, unknown>>

/** How vendors differ. */
interface Rules {
  /** Fields that may be left out, in all objects together. */
  readonly optionalFields: number
  /** Whether a schema may refer to itself. */
  readonly takesRecursion: boolean
}

/** What OpenAI documents as strict. */
const openAi: Rules = { optionalFields: 0, takesRecursion: true }

/** The limits up to which Anthropic's own package expects a schema to be accepted. */
const anthropic: Rules = { optionalFields: 10, takesRecursion: false }

const kept: ReadonlySet<string> = new Set(["type", "enum", "const", "title", "description", "format"])

/** Formats that all vendors know. */
const formats: ReadonlySet<unknown> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid"
])

/** Keywords that restrict the rest of their schema. */
const checks: ReadonlySet<string> = new Set([
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
  "format"
])

/** Keywords that say nothing about what is allowed. */
const notes: ReadonlySet<string> = new Set(["default", "examples", "deprecated", "readOnly", "writeOnly"])

const isStrings = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)

/** Makes a function that returns a schema as a vendor takes it, or null if the vendor would refuse it. */
const reader = (rules: Rules) => {
  let optional = 0

  const all = (schemas: ReadonlyArray<unknown>): ReadonlyArray<Schema> | null => {
    const read = schemas.map(one)
    return read.every(Predicate.isNotNull) ? read : null
  }

  const named = (schemas: unknown): Schema | null => {
    if (!Predicate.isReadonlyRecord(schemas)) return null
    const read = all(Object.values(schemas))
    return read === null ? null : Object.fromEntries(Object.keys(schemas).map((name, at) => [name, read[at]]))
  }

  const object = ({ additionalProperties, properties, required }: Schema): Schema | null => {
    const names = isStrings(required) ? required : []
    const fields = named(properties)
    if (additionalProperties !== false || fields === null) return null
    optional += Object.keys(fields).filter((name) => !names.includes(name)).length
    return { properties: fields, required: names, additionalProperties: false }
  }

  const keyword = (schema: Schema, key: string, value: unknown): Schema | null => {
    if (kept.has(key)) return key === "format" && !formats.has(value) ? {} : { [key]: value }
    if (checks.has(key) || notes.has(key)) return {}
    switch (key) {
      case "$ref":
        return Predicate.isString(value) ? { $ref: value } : null
      case "$defs":
      case "definitions": {
        const read = named(value)
        return read === null ? null : { [key]: read }
      }
      case "anyOf":
      case "oneOf": {
        const read = Array.isArray(value) ? all(value) : null
        return read === null ? null : { anyOf: read }
      }
      case "items": {
        const read = one(value)
        return read === null ? null : { items: read }
      }
      case "properties":
      case "required":
      case "additionalProperties":
        return schema.type === "object" ? {} : null
      default:
        return null
    }
  }

  const one = (schema: unknown): Schema | null => {
    if (!Predicate.isReadonlyRecord(schema)) return null
    if (!["type", "enum", "const", "$ref", "anyOf", "oneOf"].some((key) => key in schema)) return null
    if (schema.type === "array" && schema.items === undefined) return null
    const read = Object.entries(schema).map(([key, value]) => keyword(schema, key, value))
    const fields = schema.type === "object" ? object(schema) : {}
    if (!read.every(Predicate.isNotNull) || fields === null) return null
    const told = Object.entries(schema).flatMap(([key, value]) =>
      checks.has(key) && !(key === "format" && formats.has(value)) ? [`${key}: ${JSON.stringify(value)}`] : []
    )
    const words = [schema.description, ...(told.length === 0 ? [] : [told.join(", ")])].filter(Predicate.isString)
    const described = words.length === 0 ? {} : { description: words.join("; ") }
    return Object.fromEntries([...read, fields, described].flatMap((part) => Object.entries(part)))
  }

  return (schema: Schema): Schema | null => {
    const read = one(schema)
    return read === null || optional > rules.optionalFields || (!rules.takesRecursion && isRecursive(schema))
      ? null
      : read
  }
}

const referencesIn = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (!Predicate.isReadonlyRecord(value)) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && Predicate.isString(inner)
      ? [inner]
      : key === "$defs" || key === "definitions"
        ? []
        : referencesIn(inner)
  )
}

/** Whether a reference leads back to itself. A reference that names no definition counts as one that does. */
const isRecursive = (root: Schema): boolean => {
  const { $defs, definitions } = root
  const known: ReadonlyMap<string, unknown> = new Map(
    Object.entries({ $defs, definitions }).flatMap(([key, all]) =>
      Predicate.isReadonlyRecord(all)
        ? Object.entries(all).map(([name, schema]) => [`#/${key}/${name}`, schema] as const)
        : []
    )
  )
  const done = new Set<string>()
  const leadsBack = (value: unknown, through: ReadonlySet<string>): boolean =>
    referencesIn(value).some((reference) => {
      if (through.has(reference) || !known.has(reference)) return true
      if (done.has(reference)) return false
      const isBack = leadsBack(known.get(reference), new Set([...through, reference]))
      done.add(reference)
      return isBack
    })
  return leadsBack(root, new Set())
}

/** Returns the schema for OpenAI and servers like it; null if they would refuse it. */
export const forOpenAi = (schema: Schema): Schema | null => reader(openAi)(schema)

/** Returns the schema for Anthropic, whose package itself describes the checks; null if Anthropic would refuse it. */
export const forAnthropic = (schema: Schema): Schema | null => (reader(anthropic)(schema) === null ? null : schema)
