/**
 * What a path, a query and headers say, as Schemas. Numbers and flags are read by their pattern: `1e3`, `0x1`, ` 1` and
 * `NaN` are none. A refusal says which parameter is wrong and what is allowed, and never what was given: HttpApi puts the
 * input into its own, so the message of each of these Schemas is the refusal itself, as JSON.
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

/** The refusal in a message of `parameters`; an error when it is none. */
export const readRefusal: (message: string) => Either.Either<InvalidInput, ParseResult.ParseError> =
  Schema.decodeUnknownEither(RefusalJson)

const refusing = (onExcessProperty: SchemaAST.ParseOptions["onExcessProperty"]) => ({
  message: (issue: ParseResult.ParseIssue) => ({ message: toMessage(Refusal.ofIssue(issue)), override: true }),
  parseOptions: { onExcessProperty }
})

/** The parameters of a path or a query. One that is not known is refused. */
export const parameters = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations(refusing("error"))

/** A query that says nothing. A Schema without fields takes all that there are. */
export const nothing = Schema.Struct({})
  .pipe(Schema.filter((given) => Object.keys(given).length === 0, { description: "no fields" }))
  .annotations(refusing("error"))

/** Headers. Others may be there. */
export const headers = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations(refusing("ignore"))
