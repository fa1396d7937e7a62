/**
 * Schemas of paths, queries and headers. Numbers and flags are read by pattern: `1e3`, `0x1`, ` 1` and `NaN` are not
 * numbers. A refusal says which parameter is wrong and what is allowed, but never what was given. HttpApi's own
 * messages contain the input, so the message of each of these Schemas is the refusal itself, as JSON.
 */
import { type Either, type ParseResult, Schema, type SchemaAST } from "effect"
import * as Refusal from "../../domain/Refusal.js"
import { InvalidInput } from "../../domain/SkeinError.js"

const numeral = Schema.String.pipe(Schema.pattern(/^(0|[1-9]\d{0,14})$/, { description: "a whole number" }))

/** A whole number, in decimal digits. */
export const whole = <A extends number>(target: Schema.Schema<A, number>) =>
  Schema.transform(numeral.annotations({ jsonSchema: { type: "integer", minimum: 0 } }), target, {
    strict: true,
    decode: Number,
    encode: String
  })

/** `true` or `false`, or `1` or `0`. */
export const Flag = Schema.transform(
  Schema.Literal("true", "false", "1", "0").annotations({
    description: "true or false",
    jsonSchema: { type: "boolean" }
  }),
  Schema.Boolean,
  {
    strict: true,
    decode: (text) => text === "true" || text === "1",
    encode: (value) => (value ? "true" : "false")
  }
)

const RefusalJson = Schema.parseJson(InvalidInput)
const toMessage = Schema.encodeSync(RefusalJson)

/** Reads the refusal from a message of `parameters`; an error if the message is something else. */
export const readRefusal: (message: string) => Either.Either<InvalidInput, ParseResult.ParseError> =
  Schema.decodeUnknownEither(RefusalJson)

const refusing = (onExcessProperty: SchemaAST.ParseOptions["onExcessProperty"]) => ({
  message: (issue: ParseResult.ParseIssue) => ({ message: toMessage(Refusal.ofIssue(issue)), override: true }),
  parseOptions: { onExcessProperty }
})

/** The parameters of a path or a query. An unknown one is refused. */
export const parameters = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations(refusing("error"))

/** A query without parameters. A plain Schema without fields would accept any. */
export const nothing = Schema.Struct({})
  .pipe(Schema.filter((given) => Object.keys(given).length === 0, { description: "no fields" }))
  .annotations(refusing("error"))

/** Headers. Other headers are ignored. */
export const headers = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations(refusing("ignore"))
