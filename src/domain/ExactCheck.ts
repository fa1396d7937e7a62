/**
 * A quick check that a value needs no decoding. `exactly(schema)` accepts only plain values that the Schema decodes to
 * themselves, with no field left out. It is derived from the Schema and knows only its plain parts; it rejects whatever
 * it does not know, and the caller then decodes by the Schema.
 *
 * It exists because it makes three things several times faster: reading pages of long transcripts, checking long
 * transcripts that come in, and sending events.
 */
import { Array, Option, Predicate, Schema, SchemaAST as AST } from "effect"

type Check = (value: unknown) => boolean

export const exactly = <A, I>(schema: Schema.Schema<A, I>): ((value: unknown) => value is A) => {
  // Built on first use: a start makes many of these checks and uses few.
  let check: Check | null = null
  return (value): value is A => (check ??= checkOf(schema.ast))(value)
}

const never: Check = () => false

/** Writes values as JSON. A value that passes the exact check is its own encoding and only needs to be written. */
export const toJson = <A, I>(schema: Schema.Schema<A, I>): ((value: A) => string) => {
  const isExact = exactly(schema)
  const encode = Schema.encodeSync(Schema.parseJson(schema))
  return (value) => (isExact(value) ? JSON.stringify(value) : encode(value))
}

interface Plain {
  readonly [name: PropertyKey]: unknown
}

/** An object without behaviour of its own, such as a `toJSON`, that decoding would leave behind. */
const isPlain = (value: unknown): value is Plain => {
  if (!Predicate.isRecord(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const checkOf = (ast: AST.AST): Check => {
  switch (ast._tag) {
    case "Literal":
      return (value) => value === ast.literal
    case "StringKeyword":
      return Predicate.isString
    case "NumberKeyword":
      return Predicate.isNumber
    case "BooleanKeyword":
      return Predicate.isBoolean
    case "UnknownKeyword":
      return () => true
    case "Refinement": {
      const from = checkOf(ast.from)
      return (value) => from(value) && Option.isNone(ast.filter(value, AST.defaultParseOption, ast))
    }
    case "Union":
      return union(ast)
    case "TupleType":
      return array(ast)
    case "TypeLiteral":
      return ast.indexSignatures.length === 0 ? struct(ast) : record(ast)
    default:
      return never
  }
}

/** Exact for unions whose members differ by a literal, as all of ours do. */
const union = ({ types }: AST.Union): Check => {
  const literals = new Set<unknown>(types.filter(AST.isLiteral).map(({ literal }) => literal))
  if (literals.size === types.length) return (value) => literals.has(value)
  const checks = types.map(checkOf)
  const tagged = byTag(types, checks)
  return tagged ?? ((value) => checks.some((check) => check(value)))
}

/** The check of a union of structs that are told apart by the literal in their first field. */
const byTag = (types: ReadonlyArray<AST.AST>, checks: ReadonlyArray<Check>): Check | null => {
  const tags = types.map((type) => {
    const field = AST.isTypeLiteral(type) ? type.propertySignatures[0] : undefined
    return field !== undefined && AST.isLiteral(field.type) ? { name: field.name, tag: field.type.literal } : null
  })
  const name = tags[0]?.name
  const known = new Map<unknown, Check>(
    Array.zip(
      tags.map((one) => one?.tag),
      checks
    )
  )
  if (name === undefined || known.size < types.length || tags.some((one) => one?.name !== name)) return null
  return (value) => isPlain(value) && known.get(value[name])?.(value) === true
}

const array = ({ elements, rest }: AST.TupleType): Check => {
  const [element, ...others] = rest
  if (element === undefined || elements.length > 0 || others.length > 0) return never
  const check = checkOf(element.type)
  return (value) => {
    if (!Array.isArray(value)) return false
    // `every` skips the holes of a sparse array.
    for (const item of value) if (!check(item)) return false
    return true
  }
}

/** The check of a struct's named fields: returns how many of them the value has, or -1 when one is wrong or missing. */
const fieldsOf = ({ propertySignatures }: AST.TypeLiteral) => {
  const fields = propertySignatures.map(({ isOptional, name, type }) => ({ name, isOptional, check: checkOf(type) }))
  return (value: Plain): number => {
    let known = 0
    for (const { check, isOptional, name } of fields) {
      if (Object.hasOwn(value, name)) {
        if (!check(value[name])) return -1
        known++
      } else if (!isOptional) return -1
    }
    return known
  }
}

const struct = (ast: AST.TypeLiteral): Check => {
  const fields = fieldsOf(ast)
  return (value) => isPlain(value) && fields(value) === Object.keys(value).length
}

/** Accepts fields of any name only where their values may be anything. Decoding would lose a field called `__proto__`. */
const record = (ast: AST.TypeLiteral): Check => {
  const [signature, ...others] = ast.indexSignatures
  if (signature === undefined || others.length > 0) return never
  if (!AST.isStringKeyword(signature.parameter) || !AST.isUnknownKeyword(signature.type)) return never
  const fields = fieldsOf(ast)
  return (value) => isPlain(value) && !Object.hasOwn(value, "__proto__") && fields(value) >= 0
}
