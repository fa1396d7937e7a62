/**
 * What is wrong with a configuration file, in few words: one text for each place, without the value found there,
 * because it may be a key in the wrong place. Pure.
 */
import { Array as Arr, Option, Order, type ParseResult, Predicate, SchemaAST } from "effect"
import * as SchemaWords from "../../domain/SchemaWords.js"
import type { FileIssue } from "./Failure.js"
import * as JsonText from "./JsonText.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Failures.js"

export interface Issue {
  readonly path: JsonText.Path
  /** Begins with the path. */
  readonly detail: string
}

/** One thing that is wrong. */
interface Flaw {
  readonly path: JsonText.Path
  /** What it is, if that is all there is to say; else null. */
  readonly what: string | null
  /** What is allowed there. */
  readonly allowed: string
}

const ofType = (path: JsonText.Path, issue: ParseResult.Type): Flaw => {
  const own = Option.filter(
    Option.map(SchemaAST.getMessageAnnotation(issue.ast), (say) => say(issue)),
    Predicate.isString
  )
  return { path, what: issue.message ?? Option.getOrNull(own), allowed: SchemaWords.allowed(issue.ast) }
}

const flawsOf = (path: JsonText.Path, issue: ParseResult.ParseIssue): ReadonlyArray<Flaw> => {
  switch (issue._tag) {
    case "Pointer":
      return flawsOf([...path, ...Arr.ensure(issue.path)], issue.issue)
    case "Missing":
      return [{ path, what: Texts.missingField, allowed: "" }]
    case "Unexpected":
      return [{ path, what: Texts.unknownField, allowed: "" }]
    case "Composite":
      return Arr.ensure(issue.issues).flatMap((each) => flawsOf(path, each))
    case "Refinement":
    case "Transformation":
      return flawsOf(path, issue.issue)
    case "Type":
      // An optional field may be absent, but that is no advice for one that is present.
      return SchemaAST.isUndefinedKeyword(issue.ast) ? [] : [ofType(path, issue)]
    case "Forbidden":
      return [{ path, what: Texts.undocumented, allowed: "" }]
  }
}

const keyOf = (path: JsonText.Path): string => JSON.stringify(path.map(String))

const isBelow = (path: JsonText.Path, above: JsonText.Path): boolean =>
  path.length > above.length && above.every((key, at) => path[at] === key)

const isOfKind = ({ path }: Flaw): boolean => path.at(-1) === "kind"

/**
 * A value that may have several forms gets an issue for each of them. Only the deepest issues count, and for a provider
 * only those that are not about its kind: each kind complains about every other one.
 */
const isMeant = (flaw: Flaw, all: ReadonlyArray<Flaw>): boolean => {
  const parent = flaw.path.slice(0, -1)
  return !all.some(
    (other) => isBelow(other.path, flaw.path) || (isOfKind(flaw) && !isOfKind(other) && isBelow(other.path, parent))
  )
}

const detailOf = (flaws: Arr.NonEmptyReadonlyArray<Flaw>): string => {
  const [{ path }] = flaws
  const allowed = Arr.dedupe(flaws.flatMap(({ allowed, what }) => (what === null ? [allowed] : [])))
  const whats = flaws.flatMap(({ what }) => (what === null ? [] : [what]))
  const texts = [...Arr.dedupe(whats), ...(allowed.length === 0 ? [] : [Texts.expected(SchemaWords.either(allowed))])]
  return [...(path.length === 0 ? [] : [path.map(String).join(".")]), texts.join(" or ")].join(": ")
}

/** All issues, in the order of the schema. The file must be decoded with `errors: "all"`. */
const of = ({ issue }: ParseResult.ParseError): ReadonlyArray<Issue> => {
  const flaws = flawsOf([], issue)
  const groups = Object.values(
    Arr.groupBy(
      flaws.filter((flaw) => isMeant(flaw, flaws)),
      ({ path }) => keyOf(path)
    )
  )
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
