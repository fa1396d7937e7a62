/**
 * Turns a Schema error into a refusal: the path of the first field that is wrong, what is allowed there, and what came
 * instead, without quoting any text. For a union, this is about the member whose literal fields the input has, such as
 * a message's role or a part's type.
 */
import { Array as Arr, Either, Option, ParseResult, Predicate, Schema, SchemaAST } from "effect"
import { exactly } from "./ExactCheck.js"
import * as SchemaWords from "./SchemaWords.js"
import { InvalidInput } from "./SkeinError.js"

/** Describes a value without quoting any text. */
const describe = (actual: unknown): string => {
  if (typeof actual === "string") return `a text of ${Array.from(actual).length} characters`
  if (typeof actual === "number") return String(actual)
  if (Array.isArray(actual)) return "a list"
  if (typeof actual === "object") return actual === null ? "null" : "an object"
  return actual === undefined ? "nothing" : `a value of type ${typeof actual}`
}

const expected = (ast: SchemaAST.AST): string => SchemaWords.short(SchemaWords.allowed(ast))

type Path = ReadonlyArray<PropertyKey>

const refuse = (path: Path, limit: string, actual: string): InvalidInput =>
  new InvalidInput({ field: path.map(String).join("."), limit, actual })

/** The issue inside refinements and transformations. */
const inner = (issue: ParseResult.ParseIssue): ParseResult.ParseIssue =>
  (issue._tag === "Refinement" && issue.kind === "From") || issue._tag === "Transformation" ? inner(issue.issue) : issue

/** The field at which a member of a union was refused; undefined when it was refused as a whole. */
const fieldOf = (issue: ParseResult.ParseIssue): PropertyKey | undefined => {
  const composite = inner(issue)
  if (composite._tag !== "Composite") return undefined
  const [first] = Arr.ensure(composite.issues)
  return first?._tag === "Pointer" ? Arr.ensure(first.path)[0] : undefined
}

const isLiteral = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isLiteral(ast) || (SchemaAST.isUnion(ast) && ast.types.every(isLiteral))

/** The literal types of a field in the members of a union; all literal fields for no name. */
const literals = (ast: SchemaAST.AST, field?: PropertyKey): ReadonlyArray<SchemaAST.PropertySignature> => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap((type) => literals(type, field))
  if (SchemaAST.isRefinement(ast) || SchemaAST.isTransformation(ast)) return literals(ast.from, field)
  if (!SchemaAST.isTypeLiteral(ast)) return []
  return ast.propertySignatures.filter(({ name, type }) => isLiteral(type) && (field === undefined || name === field))
}

/** Returns the issues of a union's members, including those of a union within it. */
const ofMembers = (issues: ReadonlyArray<ParseResult.ParseIssue>): ReadonlyArray<ParseResult.ParseIssue> =>
  issues.flatMap((issue) =>
    issue._tag === "Composite" && SchemaAST.isUnion(issue.ast) ? ofMembers(Arr.ensure(issue.issues)) : [issue]
  )

/** Returns the issue of the one type that an optional field may have; undefined in all other cases. */
const only = (issues: ReadonlyArray<ParseResult.ParseIssue>): ParseResult.ParseIssue | undefined => {
  const present = issues.filter((issue) => !(issue._tag === "Type" && SchemaAST.isUndefinedKeyword(issue.ast)))
  return present.length === 1 && issues.length > 1 ? present[0] : undefined
}

/**
 * Returns the issue of the one member of a union that was meant, else the name of a literal field whose value no member
 * has; undefined when several members may have been meant.
 */
const meant = (
  union: SchemaAST.AST,
  issues: ReadonlyArray<ParseResult.ParseIssue>
): ParseResult.ParseIssue | PropertyKey | undefined => {
  const names = new Set(literals(union).map(({ name }) => name))
  const entered = issues.flatMap((issue) => {
    const field = fieldOf(issue)
    return field === undefined ? [] : [{ issue, field }]
  })
  const inside = entered.filter(({ field }) => !names.has(field))
  return inside.length === 0 ? entered[0]?.field : inside.length === 1 ? inside[0]?.issue : undefined
}

/** Refuses the value of a field by which the members of a union are told apart. */
const unknownLiteral = (path: Path, union: SchemaAST.AST, field: PropertyKey, actual: unknown): InvalidInput => {
  const known = SchemaAST.Union.make(literals(union, field).map(({ type }) => type))
  return refuse(
    [...path, field],
    expected(known),
    describe(Predicate.hasProperty(actual, field) ? actual[field] : undefined)
  )
}

/** The fields that an object may have. */
const knownFields = (ast: SchemaAST.AST): string => {
  if (SchemaAST.isRefinement(ast) || SchemaAST.isTransformation(ast)) return knownFields(ast.from)
  const names = SchemaAST.isTypeLiteral(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : []
  return names.length === 0 ? "no fields" : `only the fields ${names.join(", ")}`
}

const isUnexpected = (issue: ParseResult.ParseIssue): boolean =>
  issue._tag === "Pointer" && issue.issue._tag === "Unexpected"

const refusalOf = (path: Path, issue: ParseResult.ParseIssue): InvalidInput => {
  switch (issue._tag) {
    case "Pointer":
      return refusalOf([...path, ...Arr.ensure(issue.path)], issue.issue)
    case "Composite": {
      const issues = Arr.ensure(issue.issues)
      // The field's name comes from the caller, so it is not quoted.
      if (issues[0] !== undefined && isUnexpected(issues[0])) {
        return refuse(path, knownFields(issue.ast), "another field")
      }
      // When no member has the literal field's value, the issue of the union is a pointer to that field.
      const isChoice = SchemaAST.isUnion(issue.ast) && issues[0]?._tag !== "Pointer"
      const first = isChoice ? (only(ofMembers(issues)) ?? meant(issue.ast, ofMembers(issues))) : issues[0]
      if (typeof first === "object") return refusalOf(path, first)
      if (first !== undefined) return unknownLiteral(path, issue.ast, first, issue.actual)
      break
    }
    case "Refinement":
      if (issue.kind === "From") return refusalOf(path, issue.issue)
      break
    case "Transformation": {
      // What cannot even be read is told what it should become, where that is described.
      const isDescribed = Option.isSome(SchemaAST.getDescriptionAnnotation(issue.ast))
      return refusalOf(
        path,
        isDescribed && issue.issue._tag === "Type" ? new ParseResult.Type(issue.ast, issue.actual) : issue.issue
      )
    }
    case "Missing":
      return refuse(path, expected(issue.ast.type), "nothing")
    case "Type":
    case "Unexpected":
    case "Forbidden":
  }
  return refuse(path, "ast" in issue ? expected(issue.ast) : "nothing here", describe(issue.actual))
}

/** Returns the refusal for an issue of a Schema. */
export const ofIssue = (issue: ParseResult.ParseIssue): InvalidInput => refusalOf([], issue)

/** JSON that is nested deeper than the stack allows cannot be checked. */
const tooDeep = (path: Path) => () => refuse(path, "nested less deeply", "nested too deeply")

/**
 * Checks what a caller passes. The schema is compiled once, so make a decoder once and keep it. A refusal names the
 * field by its path below `field`, if there is one. `unknownFields` says whether fields that the schema does not know
 * are kept, dropped or refused. The order of fields stays.
 */
export const decoder = <A, I>(
  schema: Schema.Schema<A, I>,
  field?: string,
  unknownFields: "preserve" | "ignore" | "error" = "preserve"
): ((input: unknown) => Either.Either<A, InvalidInput>) => {
  const decode = Schema.decodeUnknownEither(schema, { onExcessProperty: unknownFields, propertyOrder: "original" })
  const isExact = exactly(schema)
  const path = field === undefined ? [] : [field]
  return (input) =>
    isExact(input)
      ? Either.right(input)
      : Either.try({ try: () => decode(input), catch: tooDeep(path) }).pipe(
          Either.flatMap(Either.mapLeft((error) => refusalOf(path, error.issue)))
        )
}
