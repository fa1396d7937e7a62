/**
 * The raw input of a call, made into the JSON object that providers demand when a call is sent back to them. The
 * input that the call was run with is decoded elsewhere.
 */
import { Array as Arr, Either, Predicate } from "effect"
import * as BoundedJson from "./BoundedJson.js"
import * as JsonFlaws from "./JsonFlaws.js"
import * as ResultText from "./ResultText.js"
import * as SafeText from "./SafeText.js"

type Input = Readonly<Record<string, unknown>>

/** Characters that the model is shown of an input that is not an object. */
const maxUnparsed = 1_000

/**
 * Returns the object that a raw input holds, its texts made safe to send. Blank input is the empty object. Input that is
 * not a JSON object within the bounds of `BoundedJson`, or has one of `JsonFlaws`, becomes `{ "_unparsed": "…" }` with
 * the raw text, cut to 1,000 characters, so that the model sees what it wrote.
 */
export const toObject = (raw: string): Input =>
  raw.trim() === ""
    ? {}
    : Either.getOrElse(parse(raw), () => ({ _unparsed: ResultText.bound(SafeText.wellFormed(raw), maxUnparsed).text }))

const parse = (raw: string): Either.Either<Input, unknown> =>
  BoundedJson.parse(raw).pipe(
    Either.filterOrLeft(
      (value): value is Input => Predicate.isReadonlyRecord(value) && JsonFlaws.findRead(raw, value) === null,
      () => "no object"
    ),
    Either.map(safeRecord)
  )

const safe = (value: unknown): unknown =>
  Predicate.isString(value)
    ? SafeText.wellFormed(value)
    : Arr.isArray(value)
      ? value.map(safe)
      : Predicate.isReadonlyRecord(value)
        ? safeRecord(value)
        : value

const safeRecord = (record: Input): Input =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [SafeText.wellFormed(key), safe(value)]))
