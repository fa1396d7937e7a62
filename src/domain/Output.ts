/**
 * The answer of a run that was sent with a form, a JSON Schema: how the schema is checked, how the model is asked for
 * the answer, how the answer's JSON is read from what it wrote, and what it is told when that does not match. Pure.
 */
import { Either, Schema } from "effect"
import * as BoundedJson from "./BoundedJson.js"
import * as CanonicalJson from "./CanonicalJson.js"
import * as InputSchema from "./InputSchema.js"
import { JsonRecord } from "./Json.js"
import * as JsonFlaws from "./JsonFlaws.js"
import { InvalidInput } from "./SkeinError.js"

const isRecord = Schema.is(JsonRecord)

const refused = (limit: string, actual: string) => new InvalidInput({ field: "output", limit, actual })

/** Returns the schema as providers accept it, by the rule for the inputs of tools, or a refusal of `output`. */
export const read = (schema: unknown): Either.Either<JsonRecord, InvalidInput> =>
  InputSchema.portable(schema).pipe(
    Either.mapLeft(({ actual, limit }) => refused(limit, actual)),
    Either.filterOrLeft(isRecord, () => refused("a JSON object at most 100 deep, without a key __proto__", "another"))
  )

/** Whether both schemas are the same, whatever the order of their fields. */
export const isSame = (one: JsonRecord, other: JsonRecord): boolean =>
  CanonicalJson.stringify(one) === CanonicalJson.stringify(other)

/** Asks for the answer where the provider does not make the model follow the schema. */
export const instruction = (schema: JsonRecord): string =>
  [
    "Your final answer must be one JSON object that is valid against this JSON Schema, without any text before or after it:",
    JSON.stringify(schema)
  ].join("\n")

/** From the first brace to the last. */
const braced = (text: string): string => text.slice(Math.max(text.indexOf("{"), 0), text.lastIndexOf("}") + 1)

const lastFenced = (text: string): string => [...text.matchAll(/```[^\n`]*\n(.*?)```/gsu)].at(-1)?.[1] ?? ""

/**
 * Reads the JSON value of an answer: the whole answer if it is JSON, else the object between its first brace and its
 * last, else the object in its last code fence, because models like to add text around it. If a field comes twice, the
 * last one counts, as everywhere in JavaScript.
 */
export const parse = (answer: string): Either.Either<unknown, string> => {
  const text = answer.trim()
  if (text === "") return Either.left("the answer is empty")
  const whole = BoundedJson.parse(text)
  if (Either.isRight(whole)) return sound(text, whole.right)
  for (const candidate of [braced(text), braced(lastFenced(text))]) {
    const found = BoundedJson.parse(candidate)
    if (Either.isRight(found)) return sound(candidate, found.right)
  }
  return whole
}

/** The value that was read from a text, unless JSON cannot hold it. */
const sound = (text: string, value: unknown): Either.Either<unknown, string> => {
  const flaws = JsonFlaws.findRead(text, value)
  return flaws === null ? Either.right(value) : Either.left(flaws)
}

const shown = 200

/**
 * Asks again. The answer in question may be several messages back by then, so its beginning is quoted. `detail` has a
 * line for each thing that is wrong.
 */
export const again = (answer: string, detail: string): string => {
  const beginning = Array.from(answer.slice(0, 2 * shown))
    .slice(0, shown)
    .join("")
  return [
    "[This answer of yours does not match the requested JSON Schema:",
    `${beginning}${beginning.length < answer.length ? "…" : ""}`,
    "What is wrong with it:",
    detail,
    "Answer again, with nothing but the JSON.]"
  ].join("\n")
}
