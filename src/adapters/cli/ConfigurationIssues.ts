/**
 * What is wrong with a configuration file, in few words: one text for each place, without the value found there,
 * because it may be a key in the wrong place. Pure.
 */
import { Array as Arr, Order, ParseResult } from "effect"
import type { FileIssue } from "./Failure.js"
import * as JsonText from "./JsonText.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Failures.js"

export interface Issue {
  readonly path: JsonText.Path
  /** Begins with the path. */
  readonly detail: string
}

type FormatterIssue = ParseResult.ArrayFormatterIssue

const wordsOf = ({ message }: FormatterIssue): string => {
  const clear = message.replace(/, actual [^]*$/, "")
  if (clear.startsWith("is missing")) return Texts.missingField
  if (clear.startsWith("is unexpected")) return Texts.unknownField
  return /^Expected .*[{(]/.test(clear) ? Texts.expectedObject : clear.replace(/^Expected /, "expected ")
}

const keyOf = (path: JsonText.Path): string => JSON.stringify(path.map(String))

const isBelow = (path: JsonText.Path, above: JsonText.Path): boolean =>
  path.length > above.length && above.every((key, at) => path[at] === key)

const isOfKind = ({ path }: FormatterIssue): boolean => path.at(-1) === "kind"

/**
 * A value that may have several forms gets an issue for each of them. Only the deepest issues count, and for a provider
 * only those that are not about its kind: each kind complains about every other one.
 */
const isMeant = (issue: FormatterIssue, all: ReadonlyArray<FormatterIssue>): boolean => {
  const parent = issue.path.slice(0, -1)
  return !all.some(
    (other) => isBelow(other.path, issue.path) || (isOfKind(issue) && !isOfKind(other) && isBelow(other.path, parent))
  )
}

const detailOf = ([first, ...others]: Arr.NonEmptyReadonlyArray<FormatterIssue>): string => {
  const words = Arr.dedupe([first, ...others].map(wordsOf))
  const kinds = [first, ...others].flatMap(({ message }) => message.match(/(?<=^Expected )"[\w-]+"(?=, actual)/g) ?? [])
  const text = isOfKind(first) && kinds.length > 0 ? Texts.expectedOneOf(Arr.dedupe(kinds)) : words.join(" or ")
  const path = first.path.map(String).join(".")
  return path === "" ? text : `${path}: ${text}`
}

/** All issues, in the order of the schema. The file must be decoded with `errors: "all"`. */
const of = (error: ParseResult.ParseError): ReadonlyArray<Issue> => {
  // An optional field may be absent, but that is no advice for one that is present.
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error).filter(
    ({ message }) => !message.startsWith("Expected undefined")
  )
  const meant = issues.filter((issue) => isMeant(issue, issues))
  const groups = Object.values(Arr.groupBy(meant, ({ path }) => keyOf(path)))
  return groups.length === 0
    ? [{ path: [], detail: Texts.undocumented }]
    : groups.map((group) => ({ path: group[0].path, detail: detailOf(group) }))
}

const byPlace = Order.mapInput(
  Order.tuple(Order.number, Order.number),
  ({ place }: FileIssue) => [place?.line ?? 0, place?.column ?? 0] as const
)

/** All issues, in the order of the file with this text. */
export const inFile = (text: string, error: ParseResult.ParseError): ReadonlyArray<FileIssue> =>
  Arr.sort(
    of(error).map(({ detail, path }) => ({
      place: JsonText.placeOf(text, path),
      detail: TerminalText.short(detail, 300)
    })),
    byPlace
  )
