/**
 * How paths are written in the text that a model reads and writes. Guaranteed: `parse(print(path))` is `path`, and a
 * printed path holds no line break, no control character and nothing that reorders or hides text.
 *
 * Plain paths are printed as they are. A path with such characters, with white space at either end or a quote at the
 * start, is printed as a JSON string. A path that a model writes as a JSON string is therefore read as one.
 */
import { Option, Schema } from "effect"

const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/u
const hiddenAll = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu

const escapeUnits = (character: string): string =>
  Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("")

/** The path in a form that a model can read and pass back. */
export const print = (path: string): string =>
  hidden.test(path) || path.startsWith('"') || path !== path.trim()
    ? JSON.stringify(path).replace(hiddenAll, escapeUnits)
    : path

const parseJsonString = Schema.decodeOption(Schema.parseJson(Schema.String))

/** The path that a model's text stands for. */
export const parse = (text: string): string =>
  text.startsWith('"') && text.endsWith('"') ? Option.getOrElse(parseJsonString(text), () => text) : text

/**
 * A path in a tool's input, which models see as a string with this description. What a model wrote is parsed with the
 * input, so everything that is made of the input, for permission rules too, has the path that is opened.
 */
export const input = (description: string) =>
  Schema.transform(Schema.String.annotations({ description }), Schema.String, {
    strict: true,
    decode: parse,
    encode: print
  })
