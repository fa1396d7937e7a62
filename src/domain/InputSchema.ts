/**
 * Turns the JSON Schema of a tool's input into one that every provider accepts. Pure.
 *
 * Guaranteed:
 * - It is JSON Schema 2020-12, which Anthropic demands; what older drafts express differently is rewritten.
 * - It describes an object: its top has `type` and `properties` and neither a reference nor a choice, which OpenAI
 *   refuses there. A choice at the top becomes one object with the fields of all its cases.
 * - Arrays say what they hold; nothing has an `$id`, because the same `$id` twice does not compile.
 *
 * What cannot be repaired is refused by name. Not guaranteed: that each keyword inside means something to the model, or
 * that a `pattern` is a regular expression.
 */
import { Array as Arr, Either, Predicate } from "effect"
import * as BoundedJson from "./BoundedJson.js"

export type InputSchema = Readonly<Record<string, unknown>>

/** Why a schema is refused: what is allowed, and what came instead. */
interface Flaw {
  readonly limit: string
  readonly actual: string
}

type Result<A> = Either.Either<A, Flaw>

const refuse = (limit: string, actual: unknown): Either.Either<never, Flaw> =>
  Either.left({ limit: limit.slice(0, 200), actual: (JSON.stringify(actual) ?? typeof actual).slice(0, 100) })

const types: ReadonlySet<unknown> = new Set(["object", "array", "string", "number", "integer", "boolean", "null"])

/** Keywords that hold one schema, a list of schemas, schemas by name. */
const ofOne: ReadonlySet<string> = new Set([
  "additionalProperties",
  "contains",
  "else",
  "if",
  "items",
  "not",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties"
])
const ofMany: ReadonlySet<string> = new Set(["allOf", "anyOf", "oneOf", "prefixItems"])
const ofNamed: ReadonlySet<string> = new Set([
  "$defs",
  "definitions",
  "dependentSchemas",
  "patternProperties",
  "properties"
])

const dropped: ReadonlySet<string> = new Set(["$schema", "$id", "id", "$comment"])

/** More than any tool needs, less than what exhausts a stack: schemas in schemas, and values in values. */
const deepest = 100
const deepestValue = 4 * deepest

/** The most fields in all cases of all choices together, each counted wherever it is merged. */
const mostMerged = 20_000

const isStrings = (value: unknown): value is ReadonlyArray<string> =>
  Arr.isArray(value) && value.every(Predicate.isString)

/** Rewrites what drafts 4 to 7 express differently. */
const modern = (schema: InputSchema): InputSchema => {
  const { additionalItems, items, ...rest } = schema
  const tuple =
    Arr.isArray(items) && items.length > 0
      ? { prefixItems: items, ...(additionalItems === undefined ? {} : { items: additionalItems }) }
      : items === undefined || Arr.isArray(items)
        ? {}
        : { items }
  const listed: InputSchema = { ...rest, ...tuple }
  const { exclusiveMaximum, exclusiveMinimum, maximum, minimum, ...others } = listed
  return {
    ...others,
    ...bound("minimum", "exclusiveMinimum", minimum, exclusiveMinimum),
    ...bound("maximum", "exclusiveMaximum", maximum, exclusiveMaximum)
  }
}

const bound = (inclusive: string, exclusive: string, value: unknown, strict: unknown): InputSchema => {
  if (strict === true) return value === undefined ? {} : { [exclusive]: value }
  return {
    ...(value === undefined ? {} : { [inclusive]: value }),
    ...(strict === undefined || strict === false ? {} : { [exclusive]: strict })
  }
}

/** Converts the value of one keyword, with the schemas in it. Returns null for a keyword that is left out. */
const keyword = (key: string, value: unknown, path: string, depth: number): Result<unknown> | null => {
  if (dropped.has(key) && Predicate.isString(value)) return null
  if (ofOne.has(key)) return subschema(value, path, depth)
  if (ofMany.has(key)) {
    if (!Arr.isArray(value) || value.length === 0) return refuse(`a list of schemas at ${path}`, value)
    return Either.all(value.map((inner, index) => subschema(inner, `${path}.${index}`, depth)))
  }
  if (ofNamed.has(key)) {
    if (!Predicate.isRecord(value)) return refuse(`schemas by name at ${path}`, value)
    return Either.map(
      Either.all(
        Object.entries(value).map(([name, inner]) =>
          Either.map(subschema(inner, `${path}.${name}`, depth), (schema) => [name, schema] as const)
        )
      ),
      Object.fromEntries
    )
  }
  return plain(key, value, path)
}

const plain = (key: string, value: unknown, path: string): Result<unknown> | null => {
  switch (key) {
    case "type":
      return types.has(value) || (Arr.isArray(value) && value.length > 0 && value.every((type) => types.has(type)))
        ? Either.right(value)
        : refuse(`a type of JSON Schema at ${path}`, value)
    case "required":
      if (Predicate.isBoolean(value)) return null
      return isStrings(value) ? Either.right([...new Set(value)]) : refuse(`a list of names at ${path}`, value)
    case "enum":
      return Arr.isArray(value) && value.length > 0 ? Either.right(value) : refuse(`a list of values at ${path}`, value)
    case "$ref":
      return Predicate.isString(value) ? Either.right(value) : refuse(`a reference at ${path}`, value)
    default:
      return Either.right(value)
  }
}

const subschema = (value: unknown, path: string, depth: number): Result<unknown> => {
  if (Predicate.isBoolean(value)) return Either.right(value)
  if (!Predicate.isRecord(value)) return refuse(`a schema at ${path}`, value)
  return object(value, path, depth + 1)
}

const object = (schema: InputSchema, path: string, depth: number): Result<InputSchema> => {
  if (depth > deepest) return refuse(`schemas at most ${deepest} deep`, path.slice(0, 50))
  const entries = Object.entries(modern(schema)).flatMap(([key, value]) => {
    const result = keyword(key, value, path === "" ? key : `${path}.${key}`, depth)
    return result === null ? [] : [Either.map(result, (value) => [key, value] as const)]
  })
  return Either.map(Either.all(entries), (all) => itemized(Object.fromEntries(all)))
}

const isOf = (schema: InputSchema, type: string): boolean =>
  schema.type === type || (Arr.isArray(schema.type) && schema.type.includes(type))

const itemized = (schema: InputSchema): InputSchema =>
  isOf(schema, "array") && schema.items === undefined && schema.prefixItems === undefined
    ? { ...schema, items: {} }
    : schema

const fragment = (part: string): string => decodeURIComponent(part).replace(/~1/gu, "/").replace(/~0/gu, "~")

/** Returns what a reference within the schema points to; undefined when it points to nothing. */
const lookUp = (root: InputSchema, ref: string): unknown => {
  if (!ref.startsWith("#")) return undefined
  const parts = Either.try(() => ref.slice(1).split("/").slice(1).map(fragment))
  return Either.getOrElse(parts, () => ["…"]).reduce(
    (inner: unknown, key) => (Predicate.isRecord(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
    root
  )
}

const referencesIn = (value: unknown): ReadonlyArray<string> => {
  if (Arr.isArray(value)) return value.flatMap(referencesIn)
  if (!Predicate.isRecord(value)) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && Predicate.isString(inner) ? [inner] : referencesIn(inner)
  )
}

/** What the top says about an object's fields. */
interface Fields {
  /** The schemas of each field: several where cases of a choice differ. */
  readonly properties: ReadonlyMap<string, ReadonlyArray<unknown>>
  readonly required: ReadonlySet<string>
  /** Whether other fields are refused. */
  readonly isClosed: boolean
}

/** A schema whose fields are read. Each part of it is read and written as text once, however often it is referred to. */
interface Reading {
  readonly root: InputSchema
  readonly known: Map<unknown, Result<Fields>>
  readonly texts: Map<unknown, string>
  merged: number
}

const textOf = ({ texts }: Reading, schema: unknown): string => {
  const text = texts.get(schema) ?? JSON.stringify(schema)
  texts.set(schema, text)
  return text
}

/** The schemas of a field in all cases of a choice, each once. */
const distinct = (reading: Reading, schemas: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  schemas.length === 1 ? schemas : [...new Map(schemas.map((schema) => [textOf(reading, schema), schema])).values()]

const sizeOf = ({ properties, required }: Fields): number =>
  1 + required.size + [...properties.values()].reduce((sum, schemas) => sum + schemas.length, 0)

const merge = (parts: ReadonlyArray<Fields>, isChoice: boolean, reading: Reading): Result<Fields> => {
  const all = [...new Set(parts)]
  for (const fields of all) {
    reading.merged += sizeOf(fields)
    if (reading.merged > mostMerged) return refuse(`at most ${mostMerged} fields in all cases of a choice`, "more")
  }
  const schemas = new Map<string, Array<unknown>>()
  const requiring = new Map<string, number>()
  for (const { properties, required } of all) {
    for (const [name, given] of properties) {
      const before = schemas.get(name)
      if (before === undefined || !isChoice) schemas.set(name, [...given])
      else before.push(...given)
    }
    for (const name of required) requiring.set(name, (requiring.get(name) ?? 0) + 1)
  }
  return Either.right({
    properties: new Map([...schemas].map(([name, given]) => [name, distinct(reading, given)])),
    required: new Set([...requiring].flatMap(([name, count]) => (!isChoice || count === all.length ? [name] : []))),
    isClosed: all.length > 0 && all.every(({ isClosed }) => isClosed)
  })
}

/** Follows references and merges the fields of all parts of the schema. */
const fieldsOf = (reading: Reading, schema: unknown, depth: number): Result<Fields> => {
  const before = reading.known.get(schema)
  if (before !== undefined) return before
  const fields = readFields(reading, schema, depth)
  reading.known.set(schema, fields)
  return fields
}

const readFields = (reading: Reading, schema: unknown, depth: number): Result<Fields> => {
  if (!Predicate.isRecord(schema)) return refuse("an object", schema)
  if (depth > 20) return refuse("references that end", schema.$ref)
  if (schema.type !== undefined && !isOf(schema, "object")) return refuse("an object", schema.type)
  if (schema.enum !== undefined || schema.const !== undefined) return refuse("an object with fields", schema.enum)
  const own: Fields = {
    properties: new Map(
      Predicate.isRecord(schema.properties)
        ? Object.entries(schema.properties).map(([name, schema]) => [name, [schema]])
        : []
    ),
    required: new Set(isStrings(schema.required) ? schema.required : []),
    isClosed: schema.additionalProperties === false
  }
  const inner = (value: unknown) => fieldsOf(reading, value, depth + 1)
  const referred = Predicate.isString(schema.$ref) ? [inner(lookUp(reading.root, schema.$ref))] : []
  const all = Arr.isArray(schema.allOf) ? schema.allOf.map(inner) : []
  const choices = [schema.anyOf, schema.oneOf].flatMap((cases) =>
    Arr.isArray(cases) ? [Either.flatMap(Either.all(cases.map(inner)), (all) => merge(all, true, reading))] : []
  )
  const parts = [...referred, ...all, ...choices]
  const hasOwn = schema.properties !== undefined || schema.required !== undefined
  const [only] = parts
  if (only === undefined) return Either.right(own)
  if (parts.length === 1 && !hasOwn) return only
  return Either.flatMap(Either.all(parts), (all) => merge(hasOwn ? [own, ...all] : all, false, reading))
}

const oneSchema = (schemas: ReadonlyArray<unknown>): unknown => (schemas.length === 1 ? schemas[0] : { anyOf: schemas })

const combined = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"]

/** The field names that Anthropic accepts. */
const fieldName = /^[A-Za-z0-9_.-]{1,64}$/

/** Schemas that are portable already. They are not read again, such as when tools are put together at each step. */
const known = new WeakSet<InputSchema>()

/** Returns the schema in a form that every provider accepts, or why that is not possible. */
export const portable = (schema: unknown): Result<InputSchema> =>
  Predicate.isRecord(schema) && known.has(schema)
    ? Either.right(schema)
    : Either.map(read(schema), (made) => {
        known.add(made)
        return made
      })

const read = (schema: unknown): Result<InputSchema> =>
  Either.gen(function* () {
    const text = yield* Either.try({
      try: (): string | undefined => JSON.stringify(schema),
      catch: (): Flaw => ({ limit: "JSON", actual: "something else" })
    })
    if (text === undefined) return yield* refuse("JSON", "something else")
    const json = yield* Either.mapLeft(BoundedJson.parse(text, deepestValue), (actual): Flaw => ({
      limit: `at most ${BoundedJson.mostValues} values, ${deepestValue} deep`,
      actual
    }))
    if (!Predicate.isRecord(json)) return yield* refuse("a JSON Schema of an object", json)
    const root = yield* object(json, "", 0)
    const dangling = referencesIn(root).find((ref) => ref !== "#" && lookUp(root, ref) === undefined)
    if (dangling !== undefined) return yield* refuse("references to what the schema holds", dangling)
    const reading: Reading = { root, known: new Map(), texts: new Map(), merged: 0 }
    const { isClosed, properties, required } = yield* fieldsOf(reading, root, 0)
    const bad = [...properties.keys()].find((name) => !fieldName.test(name))
    if (bad !== undefined) return yield* refuse("fields with names of 1 to 64 of A-Z a-z 0-9 _ . -", bad)
    const isCombined = combined.some((key) => key in root)
    const rest = Object.entries(root).filter(
      ([key]) => !combined.includes(key) && !(isCombined && key === "additionalProperties")
    )
    return {
      ...Object.fromEntries(rest),
      type: "object",
      properties: Object.fromEntries(Array.from(properties, ([name, schemas]) => [name, oneSchema(schemas)])),
      ...(required.size === 0 ? {} : { required: [...required] }),
      ...(isCombined && isClosed ? { additionalProperties: false } : {})
    }
  })
