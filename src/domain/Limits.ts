/** Every size that Skein bounds. Characters are code points, bytes are bytes of UTF-8 or of the file. */
import { Array as Arr, Either, Option, type ParseResult, Schema, SchemaAST } from "effect"
import { InvalidInput } from "./SkeinError.js"
import { foldTitle } from "./Session.js"

export interface Limits {
  /** Characters of a title after folding white space. Defaults to 200. */
  readonly titleCharacters: number
  /** Bytes of one stored message. Defaults to 4 MiB. */
  readonly messageBytes: number
  /** Bytes of one session's or run's metadata. Defaults to 64 KiB. */
  readonly metadataBytes: number
  /** Characters of a tool's result that the model is shown; the rest becomes an asset. Defaults to 30,000. */
  readonly resultCharacters: number
  /** Bytes of one asset. Defaults to 64 MiB. */
  readonly assetBytes: number
  /** Media types that assets may have, `image/*` for a family. Null allows any, which is the default. */
  readonly assetTypes: ReadonlyArray<string> | null
}

export const defaults: Limits = {
  titleCharacters: 200,
  messageBytes: 4 * 1024 * 1024,
  metadataBytes: 64 * 1024,
  resultCharacters: 30_000,
  assetBytes: 64 * 1024 * 1024,
  assetTypes: null
}

const encoder = new TextEncoder()

/** Bytes of a text in UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length

/** A title folded, or why it is refused. */
export const title = (input: string, limits: Limits): Either.Either<string, InvalidInput> => {
  const folded = foldTitle(input)
  const length = Array.from(folded).length
  return length >= 1 && length <= limits.titleCharacters
    ? Either.right(folded)
    : Either.left(
        new InvalidInput({ field: "title", limit: `1 to ${limits.titleCharacters} characters`, actual: `${length}` })
      )
}

/** The JSON text of a value, or a refusal when it has none or one of more than `limit` bytes. */
export const json = (field: string, value: unknown, limit: number): Either.Either<string, InvalidInput> => {
  const text = Either.getOrNull(Either.try((): string | undefined => JSON.stringify(value)))
  const bytes = text === null || text === undefined ? null : byteLength(text)
  return typeof text === "string" && bytes !== null && bytes <= limit
    ? Either.right(text)
    : Either.left(
        new InvalidInput({
          field,
          limit: `at most ${limit} bytes`,
          actual: bytes === null ? "no JSON" : `${bytes} bytes`
        })
      )
}

/** What was given, without its content. */
const describe = (actual: unknown): string => {
  if (typeof actual === "string") return `a text of ${Array.from(actual).length} characters`
  if (typeof actual === "number") return String(actual)
  return actual === null ? "null" : actual === undefined ? "nothing" : `a value of type ${typeof actual}`
}

const expected = (ast: SchemaAST.AST): string => {
  const annotation = Option.orElse(SchemaAST.getDescriptionAnnotation(ast), () =>
    SchemaAST.getIdentifierAnnotation(ast)
  )
  const text = Option.getOrElse(annotation, () => String(ast))
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`
}

/** The first thing that is wrong: where, what is allowed there and what was given. */
const refusalOf = (path: ReadonlyArray<PropertyKey>, issue: ParseResult.ParseIssue): InvalidInput => {
  switch (issue._tag) {
    case "Pointer":
      return refusalOf([...path, ...Arr.ensure(issue.path)], issue.issue)
    case "Composite": {
      const [first] = Arr.ensure(issue.issues)
      if (issue.ast._tag !== "Union" && first !== undefined) return refusalOf(path, first)
      break
    }
    case "Refinement":
      if (issue.kind === "From") return refusalOf(path, issue.issue)
      break
    case "Transformation":
      return refusalOf(path, issue.issue)
    case "Missing":
      return new InvalidInput({ field: path.map(String).join("."), limit: expected(issue.ast.type), actual: "nothing" })
    case "Type":
    case "Unexpected":
    case "Forbidden":
  }
  const limit = "ast" in issue ? expected(issue.ast) : "nothing here"
  return new InvalidInput({ field: path.map(String).join("."), limit, actual: describe(issue.actual) })
}

/** JSON that is nested deeper than the stack allows cannot be looked at. */
const tooDeep = (field: string) => () =>
  new InvalidInput({ field, limit: "nested less deeply", actual: "nested too deeply" })

/** Checks a caller's input. A refusal names the field by its path and never quotes what was given. */
export const decode =
  <A, I>(field: string, schema: Schema.Schema<A, I>) =>
  (input: unknown): Either.Either<A, InvalidInput> =>
    Either.try({ try: () => Schema.decodeUnknownEither(schema)(input), catch: tooDeep(field) }).pipe(
      Either.flatMap(Either.mapLeft((error) => refusalOf([field], error.issue)))
    )
