/**
 * `null` in an optional field means that the field is absent: models write it for what they leave out. Such fields are
 * removed from a value before it is decoded, at any depth. A field that may be null keeps its null. So does a required
 * field, which is then refused.
 *
 * The work is bounded by the value, whatever the schema is. The value is JSON of bounded depth.
 */
import { Predicate, SchemaAST } from "effect"
import type { Schema } from "effect"

/** Whether a schema accepts null; true where that cannot be determined. */
const acceptsNull = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Literal":
      return ast.literal === null
    case "Union":
      return ast.types.some(acceptsNull)
    case "Refinement":
      return acceptsNull(ast.from)
    case "Suspend":
      return acceptsNull(ast.f())
    case "Declaration":
    case "UnknownKeyword":
    case "AnyKeyword":
      return true
    default:
      return false
  }
}

const inRecord = (ast: SchemaAST.TypeLiteral, value: Readonly<Record<string, unknown>>): unknown => {
  const fields = new Map(ast.propertySignatures.map((field) => [field.name, field]))
  const [rest] = ast.indexSignatures
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const field = fields.get(name)
      if (inner === null && field?.isOptional === true && !acceptsNull(field.type)) return []
      const type = field?.type ?? rest?.type
      return [[name, type === undefined ? inner : within(type, inner)]]
    })
  )
}

/** Whether a record has the literals that set this member of a union apart from the others. */
const hasLiteralsOf = (ast: SchemaAST.TypeLiteral, value: Readonly<Record<string, unknown>>): boolean =>
  ast.propertySignatures.every(({ name, type }) => !SchemaAST.isLiteral(type) || value[String(name)] === type.literal)

const resolved = (ast: SchemaAST.AST): SchemaAST.AST =>
  SchemaAST.isSuspend(ast) ? resolved(ast.f()) : SchemaAST.isRefinement(ast) ? resolved(ast.from) : ast

/** Treats a value as the member of a union that it is meant for; leaves it as it is when that is not clear. */
const inUnion = (ast: SchemaAST.Union, value: unknown): unknown => {
  const members = ast.types.map(resolved)
  const fitting = Array.isArray(value)
    ? members.filter(SchemaAST.isTupleType)
    : members
        .filter(SchemaAST.isTypeLiteral)
        .filter((type) => Predicate.isReadonlyRecord(value) && hasLiteralsOf(type, value))
  const [only] = fitting
  return only === undefined || fitting.length > 1 ? value : within(only, value)
}

const within = (ast: SchemaAST.AST, value: unknown): unknown => {
  const type = resolved(ast)
  if (SchemaAST.isUnion(type)) return inUnion(type, value)
  if (SchemaAST.isTypeLiteral(type) && Predicate.isReadonlyRecord(value)) return inRecord(type, value)
  if (!SchemaAST.isTupleType(type) || !Array.isArray(value)) return value
  return value.map((inner: unknown, index) => {
    const element = type.elements[index]?.type ?? type.rest[0]?.type
    return element === undefined ? inner : within(element, inner)
  })
}

/** Returns a function that removes fields that are null and, in the schema's encoded form, optional. */
export const leaveOut = (schema: Schema.Schema.All): ((value: unknown) => unknown) => {
  const ast = SchemaAST.encodedAST(schema.ast)
  return (value) => within(ast, value)
}
