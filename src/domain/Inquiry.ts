/**
 * What a person is asked while a call runs: a text, and fields to fill in or a link to open. It is stored with its question.
 * Pure.
 */
import { Array as Arr, Either, Predicate, Schema } from "effect"
import type { Named } from "./Named.js"
import * as SafeText from "./SafeText.js"

/** What a field accepts: `choice` one of its options, `choices` some of them. */
export const FieldKind = Schema.Literal("text", "number", "integer", "boolean", "choice", "choices")
export type FieldKind = typeof FieldKind.Type

/** A value that a person fills in. */
export const Value = Schema.Union(Schema.String, Schema.Finite, Schema.Boolean, Schema.Array(Schema.String))
export type Value = typeof Value.Type

/** The values that a person filled in, by field name. */
export const Values = Schema.Record({ key: Schema.String, value: Value })
export type Values = typeof Values.Type

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** One option of a choice: its value, and the title that people read. */
export const Option = Schema.Struct({ value: Schema.String, title: Schema.String }).annotations({
  identifier: "InquiryOption"
})
export type Option = Named<typeof Option.Type>

/** A field to fill in. */
export const Field = Schema.Struct({
  name: Schema.String,
  kind: FieldKind,
  /** The name that people read. */
  title: Schema.String,
  about: optional(Schema.String),
  isRequired: Schema.Boolean,
  /** For a `choice` or `choices`. */
  options: optional(Schema.Array(Option)),
  /** The smallest number, or the fewest characters or choices. */
  least: optional(Schema.Finite),
  /** The largest number, or the most characters or choices. */
  most: optional(Schema.Finite),
  /** The value that is filled in at first. */
  initial: optional(Value)
}).annotations({ identifier: "InquiryField" })
export type Field = Named<typeof Field.Type, { readonly options: ReadonlyArray<Option> }>

/** What is asked, in the asker's own words: people are shown that they are the asker's. */
export const Inquiry = Schema.Struct({
  /** Who asks, such as the name of an MCP server. */
  from: Schema.String,
  text: Schema.String,
  fields: Schema.Array(Field),
  /** A page on which the person should do something. The link is shown; only the person opens it. */
  link: optional(Schema.String)
}).annotations({ identifier: "Inquiry" })
export type Inquiry = Named<typeof Inquiry.Type, { readonly fields: ReadonlyArray<Field> }>

/** How an inquiry ended. */
export type Reply =
  | { readonly _tag: "Given"; readonly values: Values }
  /** `message` says why, if a reason was stated. */
  | { readonly _tag: "Declined"; readonly message: string | null }
  /** A person closed the question without an answer. */
  | { readonly _tag: "Dismissed" }

/** What is wrong, and with which field. */
interface Flaw {
  readonly field: string
  readonly limit: string
  readonly actual: string
}

/** Upper bounds: characters of a text, name, link and value, the number of fields, and of options in a field. */
export const most = { text: 4096, name: 128, link: 2048, fields: 32, options: 128, value: 16_384 }

const flaw = (field: string, limit: string, actual: string): Flaw => ({ field, limit, actual: actual.slice(0, 100) })

const textFlaw = (field: string, text: string, longest: number): ReadonlyArray<Flaw> =>
  text.length <= longest && SafeText.isStorable(text)
    ? []
    : [flaw(field, `at most ${longest} characters without NUL`, `${text.length} characters`)]

const textsOf = (value: Value): ReadonlyArray<string> =>
  Predicate.isString(value) ? [value] : typeof value === "object" ? value : []

const numberFlaw = (field: string, value: unknown): ReadonlyArray<Flaw> =>
  Predicate.isNumber(value) && !Number.isFinite(value) ? [flaw(field, "a finite number", String(value))] : []

const fieldFlaws = ({
  about = "",
  initial,
  least,
  most: greatest,
  name,
  options = [],
  title
}: Field): ReadonlyArray<Flaw> => [
  ...numberFlaw("field.least", least),
  ...numberFlaw("field.most", greatest),
  ...numberFlaw("field.initial", initial),
  ...textFlaw("field.name", name, most.name),
  ...textFlaw("field.title", title, most.text),
  ...textFlaw("field.about", about, most.text),
  ...(options.length > most.options
    ? [flaw("field.options", `at most ${most.options}`, `${options.length}`)]
    : options.flatMap((option) => [
        ...textFlaw("field.options", option.value, most.text),
        ...textFlaw("field.options", option.title, most.text)
      ])),
  ...(initial === undefined ? [] : textsOf(initial).flatMap((text) => textFlaw("field.initial", text, most.value)))
]

const isWebLink = (link: string): boolean => /^https?:\/\//iu.test(link)

/** Returns why an inquiry cannot be asked; null when it can. */
export const flawOf = ({ fields, from, link, text }: Inquiry): Flaw | null => {
  if (fields.length > most.fields) return flaw("fields", `at most ${most.fields}`, `${fields.length}`)
  if (link !== undefined && !isWebLink(link)) return flaw("link", "a link of http or https", link)
  return (
    [
      ...textFlaw("from", from, most.name),
      ...textFlaw("text", text, most.text),
      ...textFlaw("link", link ?? "", most.link),
      ...fields.flatMap(fieldFlaws)
    ][0] ?? null
  )
}

/** Returns null when a size is within a field's limits, else the limits in words. */
const sized = (size: number, { least, most }: Field, what: string): string | null =>
  (least === undefined || size >= least) && (most === undefined || size <= most)
    ? null
    : [...(least === undefined ? [] : [`at least ${least}`]), ...(most === undefined ? [] : [`at most ${most}`])]
        .join(" and ")
        .concat(what)

const kindLimits: Readonly<Record<FieldKind, string>> = {
  text: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  choice: "one of its options",
  choices: "some of its options"
}

/** Returns in words what a field accepts instead of a value; null when it accepts the value. */
const limitOf = (field: Field, value: Value): string | null => {
  const { kind, options = [] } = field
  const other = kindLimits[kind]
  const isOption = (text: unknown) => options.some((option) => option.value === text)
  switch (kind) {
    case "text":
      if (!Predicate.isString(value)) return other
      return value.length > most.value || !SafeText.isStorable(value)
        ? `at most ${most.value} characters without NUL`
        : sized(value.length, field, " characters")
    case "number":
    case "integer":
      if (!Predicate.isNumber(value) || !Number.isFinite(value)) return other
      return kind === "integer" && !Number.isInteger(value) ? other : sized(value, field, "")
    case "boolean":
      return Predicate.isBoolean(value) ? null : other
    case "choice":
      return isOption(value) ? null : other
    case "choices":
      if (!Arr.isArray(value) || !value.every(isOption) || new Set(value).size < value.length) return other
      return sized(value.length, field, " of its options")
  }
}

/** Returns why values do not fit the fields of an inquiry; null when they do. */
export const valuesFlaw = ({ fields }: Inquiry, values: Values): Flaw | null => {
  const unknown = Object.keys(values).find((name) => fields.every((field) => field.name !== name))
  if (unknown !== undefined) return flaw("values", "the fields of the question", unknown)
  for (const field of fields) {
    const value = Object.hasOwn(values, field.name) ? values[field.name] : undefined
    const limit = value === undefined ? (field.isRequired ? "something" : null) : limitOf(field, value)
    if (limit !== null) return flaw(`values.${field.name.slice(0, 64)}`, limit, JSON.stringify(value ?? null))
  }
  return null
}

/** Reads a value as a person types it: options by value, title or number from 1, several separated by commas. */
export const read = (field: Field, typed: string): Either.Either<Value, string> => {
  const text = typed.trim()
  const { kind, options = [] } = field
  const optionOf = (text: string): string =>
    options.find(({ title, value }) => value === text || title === text)?.value ??
    options[/^\d+$/u.test(text) ? Number(text) - 1 : -1]?.value ??
    text
  const value = ((): Value => {
    switch (kind) {
      case "text":
        return typed
      case "number":
      case "integer":
        return text === "" ? Number.NaN : Number(text)
      case "boolean":
        return /^(?:y|yes|true)$/iu.test(text) ? true : /^(?:n|no|false)$/iu.test(text) ? false : text
      case "choice":
        return optionOf(text)
      case "choices":
        return text === "" ? [] : text.split(",").map((one) => optionOf(one.trim()))
    }
  })()
  const limit = limitOf(field, value)
  return limit === null ? Either.right(value) : Either.left(limit)
}
