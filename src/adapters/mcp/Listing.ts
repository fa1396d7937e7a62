/**
 * What a server lists, page by page and entry by entry. An entry that does not keep to the protocol is left out, and the
 * others are kept; so are the pages before one that cannot be read. Only what is used of an entry is checked.
 */
import type { Client, RequestOptions } from "@modelcontextprotocol/client"
import { Array as Arr, Either, ParseResult, Predicate, Schema } from "effect"
import * as OneLine from "../../domain/OneLine.js"
import type { LeftOutEntry } from "./McpFailed.js"
import * as Names from "./Names.js"
import * as Reasons from "./Reasons.js"

/** The most entries of a list that are read, and the most pages of them. */
const mostEntries = 256
const mostPages = 32

const optional = Schema.optional(Schema.String)

/** A tool as its server lists it. What its schema must be like is checked where it is read. */
const Tool = Schema.Struct({
  name: Schema.String,
  title: optional,
  description: optional,
  inputSchema: Schema.optional(Schema.Unknown)
})
export type Tool = typeof Tool.Type

const Argument = Schema.Struct({
  name: Schema.String,
  description: optional,
  required: Schema.optional(Schema.Boolean)
})

/** A prompt as its server lists it. */
const Prompt = Schema.Struct({
  name: Schema.String,
  title: optional,
  description: optional,
  arguments: Schema.optional(Schema.Array(Argument))
})
export type Prompt = typeof Prompt.Type

const Resource = Schema.Struct({
  uri: Schema.String,
  name: Schema.String,
  title: optional,
  description: optional,
  mimeType: optional,
  size: Schema.optional(Schema.Number)
})
/** A resource as its server lists it. */
export type Resource = typeof Resource.Type

/** The entries of a list, in its order: those that can be used, and those that are left out. */
export type Listed<A> = ReadonlyArray<Either.Either<A, LeftOutEntry>>

type Field = "tools" | "prompts" | "resources"

const entriesAt = (field: Field) =>
  Schema.Struct({
    entries: Schema.propertySignature(Schema.Array(Schema.Unknown)).pipe(Schema.fromKey(field)),
    nextCursor: Schema.optional(Schema.Unknown)
  })

type Entries = ReturnType<typeof entriesAt>
/** Named by the function, so that the declarations refer to no package that hosts may not have. */
type Page = ReturnType<typeof Schema.standardSchemaV1<Entries["Type"], Entries["Encoded"]>>

const pageOf = (field: Field): Page => Schema.standardSchemaV1(entriesAt(field))

/** One of the lists that a server has. */
export interface List<A> {
  readonly method: `${Field}/list`
  /** An answer with a page of it, whatever its entries are. */
  readonly page: Page
  readonly read: (entry: unknown) => Either.Either<A, ParseResult.ParseError>
  /** What an entry is called that is left out. */
  readonly nameOf: (server: string, entry: Readonly<Record<string, unknown>>) => string | null
}

const named: List<unknown>["nameOf"] = (server, { name }) => (Predicate.isString(name) ? Names.of(server, name) : null)

/** The list of tools. */
export const tools: List<Tool> = {
  method: "tools/list",
  page: pageOf("tools"),
  read: Schema.decodeUnknownEither(Tool),
  nameOf: named
}

/** The list of prompts. */
export const prompts: List<Prompt> = {
  method: "prompts/list",
  page: pageOf("prompts"),
  read: Schema.decodeUnknownEither(Prompt),
  nameOf: named
}

/** The list of resources. */
export const resources: List<Resource> = {
  method: "resources/list",
  page: pageOf("resources"),
  read: Schema.decodeUnknownEither(Resource),
  nameOf: (_, { uri }) => (Predicate.isString(uri) ? OneLine.first(uri, 100) : null)
}

/** The entries that can be used. */
export const usable = <A>(listed: Listed<A>): ReadonlyArray<A> => Arr.getRights(listed)

/** Those that are left out. */
export const leftOut = (listed: Listed<unknown>): ReadonlyArray<LeftOutEntry> => Arr.getLefts(listed)

const flawOf = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const field = (first?.path ?? []).map(String).join(".")
  return `${field === "" ? "it" : `its ${field}`} is not of the protocol's form`
}

const entryOf = <A>({ nameOf, read }: List<A>, server: string, entry: unknown, place: number) =>
  Either.mapLeft(read(entry), (error): LeftOutEntry => ({
    name: (Predicate.isReadonlyRecord(entry) ? nameOf(server, entry) : null) ?? `number ${place}`,
    reason: flawOf(error)
  }))

const rest = (reason: string) => Either.left<LeftOutEntry>({ name: "the rest", reason })

/** Reads the pages of a list, up to the limits. */
export const read = async <A>(
  list: List<A>,
  server: string,
  client: Client,
  options: RequestOptions
): Promise<Listed<A>> => {
  const all: Array<Either.Either<A, LeftOutEntry>> = []
  let cursor: string | undefined
  for (let count = 0; count < mostPages; count++) {
    const params = cursor === undefined ? {} : { cursor }
    const page = await client.request({ method: list.method, params }, list.page, options).catch((thrown: unknown) => {
      const reason = count === 0 ? null : Reasons.ofAnswer(thrown)
      if (reason === null) throw thrown
      return reason
    })
    if (typeof page === "string") return [...all, rest(page)]
    for (const entry of page.entries.slice(0, mostEntries + 1 - all.length)) {
      if (all.length === mostEntries) return [...all, rest(`at most ${mostEntries} are read`)]
      all.push(entryOf(list, server, entry, all.length + 1))
    }
    const next = page.nextCursor ?? undefined
    if (next === undefined) return all
    if (!Predicate.isString(next)) return [...all, rest("its nextCursor is not of the protocol's form")]
    if (next === cursor) return [...all, rest("a page leads to itself")]
    cursor = next
  }
  return [...all, rest(`at most ${mostPages} pages are read`)]
}
