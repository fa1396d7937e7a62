/** JSON values: what hosts may put into metadata and what tools known only at run time receive. */
import { Either, ParseResult, Schema, type SchemaAST } from "effect"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Values in values: more than anybody needs, less than what exhausts a stack. */
const deepest = 100

/** A key with this name would become the object's prototype wherever the object is copied. */
const forbidden = "__proto__"

const isObject = (value: unknown, depth: number): value is { readonly [key: string]: Json } =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(([key, field]) => key !== forbidden && isJson(field, depth + 1))

const isJson = (value: unknown, depth: number): value is Json => {
  if (depth > deepest) return false
  if (value === null || typeof value === "boolean" || typeof value === "string") return true
  if (typeof value === "number") return Number.isFinite(value)
  return Array.isArray(value) ? value.every((element) => isJson(element, depth + 1)) : isObject(value, depth)
}

/** Any JSON value, at most 100 deep, without a key `__proto__`. */
export const Json: Schema.Schema<Json> = Schema.declare((value): value is Json => isJson(value, 0), {
  identifier: "Json",
  description: "JSON at most 100 deep, without a key __proto__",
  jsonSchema: {},
  arbitrary: () => (fc) => fc.jsonValue().filter((value) => isJson(value, 0))
})

const checkRecord = (value: unknown, ast: SchemaAST.AST): Either.Either<JsonRecord, ParseResult.ParseIssue> => {
  if (isObject(value, 0)) return Either.right(value)
  const fields = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  const bad = fields.find(([key, field]) => key === forbidden || !isJson(field, 1))
  return Either.left(
    bad === undefined
      ? new ParseResult.Type(ast, value)
      : new ParseResult.Pointer(bad[0], value, new ParseResult.Type(Json.ast, bad[1]))
  )
}

/** A JSON object within the same bounds. A refusal names the field. */
export const JsonRecord: Schema.Schema<{ readonly [key: string]: Json }> = Schema.declare(
  [],
  {
    decode: () => (value, _, ast) => checkRecord(value, ast),
    encode: () => (value, _, ast) => checkRecord(value, ast)
  },
  {
    identifier: "JsonRecord",
    description: "a JSON object at most 100 deep, without a key __proto__",
    jsonSchema: { type: "object" },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue()).filter((value) => isObject(value, 0))
  }
)
export type JsonRecord = typeof JsonRecord.Type
