/**
 * What a call is about, for people who watch: the kind of work, a title, the locations that it works on. The tool
 * provides this once the call's input is read; the model sees none of it. It is stored with the call.
 */
import { Schema } from "effect"
import { Inquiry } from "./Inquiry.js"
import type { Named } from "./Named.js"
import * as OneLine from "./OneLine.js"
import * as SafeText from "./SafeText.js"

/** What a tool does, as clients show it. */
export const Kind = Schema.Literal("read", "edit", "search", "execute", "fetch", "other")
export type Kind = typeof Kind.Type

const Line = Schema.Int.pipe(Schema.positive())

/** A location that a call works on: a path, and a line, counted from 1, where it matters. */
export const Location = Schema.Struct({
  path: Schema.String,
  line: Schema.optionalWith(Line, { exact: true })
}).annotations({ identifier: "CallLocation" })
export type Location = Named<typeof Location.Type>

/** How clients show a call. */
export const CallDisplay = Schema.Struct({
  kind: Kind,
  /** A few words, on one line, with "…" at the end when the tool's title has more; null when the tool provides none. */
  title: Schema.NullOr(Schema.String),
  locations: Schema.Array(Location),
  /** For a question: the permission rule that `allow-always` stores. Absent where a call cannot be allowed for good. */
  always: Schema.optionalWith(Schema.String, { exact: true }),
  /** For a question that a call asks while it runs: what it asks. Absent when the question is whether it may run. */
  inquiry: Schema.optionalWith(Inquiry, { exact: true })
}).annotations({ identifier: "CallDisplay" })
export type CallDisplay = Named<typeof CallDisplay.Type, { readonly inquiry: Inquiry }>

/** The display of a call whose tool provides none, or whose input could not be read. */
export const none: CallDisplay = { kind: "other", title: null, locations: [] }

/** Whether a display says nothing that a client would not assume without it. */
export const isNone = ({ always, inquiry, kind, locations, title }: CallDisplay): boolean =>
  kind === "other" && title === null && locations.length === 0 && always === undefined && inquiry === undefined

/** Upper bounds: characters of a title and of a path, and the number of locations. */
const most = { title: 256, path: 4096, locations: 64 }

const isLine = Schema.is(Line)

/** A title as it is kept. */
export const titleOf = (title: string): string | null => OneLine.opening(title, most.title)

/** Bounds a display before it is kept: tools make titles and paths from what a model wrote. */
export const bounded = ({ kind, locations, title }: CallDisplay): CallDisplay => ({
  kind,
  title: title === null ? null : titleOf(title),
  locations: locations
    .filter(({ path }) => path.length <= most.path && SafeText.isStorable(path))
    .slice(0, most.locations)
    .map(({ line, path }) => (line !== undefined && isLine(line) ? { path, line } : { path }))
})
