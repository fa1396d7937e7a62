/**
 * What is wrong with a value, one line per issue: `offset: expected an integer from 1, got null`. The line says where,
 * what is allowed there, as far as a JSON Schema can express it, and in a few words what came instead.
 *
 * Guaranteed: no line shows a schema's tree or more than a few characters of the value; at most 20 issues are listed.
 */
import { Array as Arr, Either, Inspectable, JSONSchema, Option, Predicate, Schema, SchemaAST } from "effect"
import type { ParseResult } from "effect"
import * as SchemaWords from "./SchemaWords.js"

/** The most lines that are listed. */
export const maxLines = 20
const maxDepth = 5
const maxShown = 40
const maxName = 60

type Path = ReadonlyArray<PropertyKey>

/** Describes a value in a few words. */
const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object" && value !== null) return "an object"
  if (typeof value !== "string") return Inspectable.toStringUnknown(value)
  const characters = Array.from(value.slice(0, 2 * maxShown))
  const start = characters.slice(0, maxShown).join("")
  return JSON.stringify(start.length < value.length ? `${start}…` : value)
}

type Rules = Readonly<Record<string, unknown>>

const numberOf = (rules: Rules, key: string): number | null => {
  const value = rules[key]
  return typeof value === "number" ? value : null
}

const span = (from: string | null, to: string | null): string =>
  `${from === null ? "" : ` from ${from}`}${to === null ? "" : from === null ? ` up to ${to}` : ` to ${to}`}`

const integerRange = (rules: Rules): string => {
  const above = numberOf(rules, "exclusiveMinimum")
  const below = numberOf(rules, "exclusiveMaximum")
  const from = numberOf(rules, "minimum") ?? (above === null ? null : Math.floor(above) + 1)
  const to = numberOf(rules, "maximum") ?? (below === null ? null : Math.ceil(below) - 1)
  return span(from === null ? null : String(from), to === null ? null : String(to))
}

const numberRange = (rules: Rules): string => {
  const above = numberOf(rules, "exclusiveMinimum")
  const below = numberOf(rules, "exclusiveMaximum")
  const bounds = span(numberOf(rules, "minimum")?.toString() ?? null, numberOf(rules, "maximum")?.toString() ?? null)
  return `${bounds}${above === null ? "" : ` above ${above}`}${below === null ? "" : ` below ${below}`}`
}

const sizeRange = (rules: Rules, kind: "Length" | "Items", unit: string): string => {
  const least = numberOf(rules, `min${kind}`)
  const most = numberOf(rules, `max${kind}`)
  if (least !== null && most !== null)
    return least === most ? ` of ${least} ${unit}` : ` of ${least} to ${most} ${unit}`
  if (least === 1) return " that is not empty"
  if (least !== null) return ` of at least ${least} ${unit}`
  return most === null ? "" : ` of at most ${most} ${unit}`
}

const simple: Readonly<Record<string, string>> = { boolean: "true or false", null: "null", object: "an object" }

const referenceStart = "#/$defs/"

/** Merges rules with the rules that they refer to and the rules in their `allOf`. */
const joined = (rules: Rules, definitions: Rules): Rules => {
  const { $ref: reference, allOf } = rules
  const name = typeof reference === "string" ? reference.slice(referenceStart.length) : ""
  const parts: ReadonlyArray<unknown> = Array.isArray(allOf) ? allOf : []
  return Object.fromEntries(
    [definitions[name], rules, ...parts].filter(Predicate.isReadonlyRecord).flatMap((one) => Object.entries(one))
  )
}

/** Returns what a JSON Schema allows, in words; none when words cannot express it. */
const wordsOf = (given: unknown, definitions: Rules, depth = 0): Option.Option<ReadonlyArray<string>> => {
  if (!Predicate.isReadonlyRecord(given) || depth > maxDepth) return Option.none()
  const rules = joined(given, definitions)
  const { anyOf, enum: values, pattern, type } = rules
  if (Array.isArray(values)) return Option.some(values.map(shown))
  if (Array.isArray(anyOf)) {
    return Option.map(Option.all(anyOf.map((each) => wordsOf(each, definitions, depth + 1))), Arr.flatten)
  }
  switch (type) {
    case "integer":
      return Option.some([`an integer${integerRange(rules)}`])
    case "number":
      return Option.some([`a number${numberRange(rules)}`])
    case "array":
      return Option.some([`a list${sizeRange(rules, "Items", "elements")}`])
    case "string": {
      const matching = typeof pattern === "string" ? ` that matches ${pattern}` : ""
      return Option.some([`a text${sizeRange(rules, "Length", "characters")}${matching}`])
    }
    default:
      return Option.map(Option.fromNullable(typeof type === "string" ? simple[type] : undefined), Arr.of)
  }
}

/** Leaves out `undefined`, which JSON cannot hold. */
const present = (ast: SchemaAST.AST): SchemaAST.AST =>
  SchemaAST.isUnion(ast) ? SchemaAST.Union.make(ast.types.filter((type) => !SchemaAST.isUndefinedKeyword(type))) : ast

const allowed = (ast: SchemaAST.AST): Option.Option<string> =>
  Either.try((): unknown => JSONSchema.make(Schema.make(SchemaAST.encodedBoundAST(present(ast))))).pipe(
    Either.getRight,
    Option.filter(Predicate.isReadonlyRecord),
    Option.flatMap((rules) => wordsOf(rules, Predicate.isReadonlyRecord(rules["$defs"]) ? rules["$defs"] : {})),
    Option.map((texts) => SchemaWords.either(Arr.dedupe(texts)))
  )

/** What schemas allow, in words. A value can have thousands of issues with the same schema. */
const known = new WeakMap<SchemaAST.AST, string>()

/** What is allowed, in words. */
const expected = (ast: SchemaAST.AST): string => {
  const before = known.get(ast)
  if (before !== undefined) return before
  const words = allowed(ast).pipe(
    Option.getOrElse(() => SchemaWords.allowed(ast)),
    SchemaWords.short
  )
  known.set(ast, words)
  return words
}

/** Returns the message of a check itself, from beneath the schemas around it. */
const own = (issue: ParseResult.ParseIssue): Option.Option<string> => {
  switch (issue._tag) {
    case "Type":
    case "Forbidden":
      return Option.fromNullable(issue.message)
    case "Refinement":
    case "Transformation":
      return own(issue.issue)
    default:
      return Option.none()
  }
}

const messageOf = (ast: SchemaAST.AST, issue: ParseResult.ParseIssue): Option.Option<string> =>
  SchemaAST.getMessageAnnotation(ast).pipe(
    Option.map((message) => message(issue)),
    Option.filter(Predicate.isString)
  )

/** A field's name on the way to a value; the value's writer may have chosen it, of any length. */
const nameOf = (key: PropertyKey): string => {
  const name = String(key)
  return name.length <= maxName ? name : `${name.slice(0, maxName)}…`
}

/** What is wrong with the value at a path, on one line. */
export const at = (path: Path, text: string): string => {
  const line = text.replaceAll(/\s+/g, " ")
  return path.length === 0 ? line : `${SchemaWords.short(path.map(nameOf).join("."))}: ${line}`
}

/** `ast` is the outermost schema at this path, which says more than the schemas inside it. */
const linesOf = (path: Path, ast: SchemaAST.AST | null, issue: ParseResult.ParseIssue): ReadonlyArray<string> => {
  const leaf = (schema: SchemaAST.AST, inner: ParseResult.ParseIssue = issue) => [
    at(
      path,
      messageOf(schema, issue).pipe(
        Option.orElse(() => own(inner)),
        Option.getOrElse(() => `expected ${expected(schema)}, got ${shown(issue.actual)}`)
      )
    )
  ]
  switch (issue._tag) {
    case "Pointer":
      return linesOf([...path, ...Arr.ensure(issue.path)], null, issue.issue)
    case "Missing":
      return [at(path, `is missing, expected ${expected(issue.ast.type)}`)]
    case "Unexpected":
      return [at(path, "not a known field")]
    case "Composite": {
      const inner = Arr.ensure(issue.issues)
      if (!SchemaAST.isUnion(issue.ast)) return inner.flatMap((each) => linesOf(path, null, each))
      const deeper = inner.filter((each) => !isLeaf(each))
      const [only] = deeper
      return only !== undefined && deeper.length === 1 ? linesOf(path, null, only) : leaf(ast ?? issue.ast)
    }
    case "Transformation":
      // The input could be transformed, so the input is not what is wrong.
      if (issue.kind === "Type") return linesOf(path, null, issue.issue)
      return isLeaf(issue.issue) ? leaf(ast ?? issue.ast, issue.issue) : linesOf(path, null, issue.issue)
    case "Refinement":
      return isLeaf(issue.issue) ? leaf(ast ?? issue.ast, issue.issue) : linesOf(path, null, issue.issue)
    case "Type":
    case "Forbidden":
      return leaf(ast ?? issue.ast)
  }
}

/** Whether an issue is about the value itself, not about something in it. */
const isLeaf = (issue: ParseResult.ParseIssue): boolean => {
  switch (issue._tag) {
    case "Type":
    case "Forbidden":
      return true
    case "Refinement":
    case "Transformation":
      return isLeaf(issue.issue)
    case "Composite":
      return SchemaAST.isUnion(issue.ast) && Arr.ensure(issue.issues).every(isLeaf)
    case "Pointer":
    case "Missing":
    case "Unexpected":
      return false
  }
}

/** Joins lines, but no more than a reader can take in. `lines` may be only the first ones of `count`. */
export const bound = (lines: ReadonlyArray<string>, count = lines.length): string =>
  [...lines.slice(0, maxLines), ...(count > maxLines ? [`and ${count - maxLines} more`] : [])].join("\n")

/** All issues of an error, one line each. To see more than the first, decode with `errors: "all"`. */
export const format = ({ issue }: ParseResult.ParseError): string => bound([...new Set(linesOf([], null, issue))])
