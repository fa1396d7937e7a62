/** Which servers of the Model Context Protocol there are: the form of `mcpServers` in a configuration. */
import { Schema } from "effect"

/** A name of a server: it begins the names of its tools. */
export const ServerName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, {
    description: "1 to 32 characters of A-Z a-z 0-9 _ -, starting with a letter or digit"
  })
)

const Variable = Schema.String.pipe(
  Schema.filter((text) => !text.includes("\0"), { description: "a text without NUL" })
)

const common = {
  /**
   * Names of tools that only read, as the server spells them. They are treated as our own tools that read. What the
   * server says about other tools is not believed.
   */
  reads: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  /** The absolute path of a folder: only sessions that work in it or below it have the tools. Defaults to all sessions. */
  folder: Schema.optional(Schema.NonEmptyString),
  /** Milliseconds that a call may take. Defaults to the engine's limit. */
  timeoutMillis: Schema.optional(Schema.Int.pipe(Schema.positive()))
}

/** A program that speaks over its standard input and output. */
export const Program = Schema.Struct({
  command: Schema.NonEmptyString,
  args: Schema.optionalWith(Schema.Array(Variable), { default: () => [] }),
  /** Variables besides the usual ones. The program gets none of the engine's keys. */
  env: Schema.optionalWith(Schema.Record({ key: Schema.NonEmptyString, value: Variable }), { default: () => ({}) }),
  /** The folder that it runs in. Defaults to this process's folder. */
  cwd: Schema.optional(Schema.NonEmptyString),
  ...common
})
export type Program = typeof Program.Type

const HttpUrl = Schema.String.pipe(
  Schema.filter((text) => /^https?:\/\//i.test(text) && URL.canParse(text), { description: "a URL of http or https" })
)

/** A server that speaks streamable HTTP. */
export const Remote = Schema.Struct({
  url: HttpUrl,
  /** Sent with each request. They may be secret: they are in no error and no log. */
  headers: Schema.optionalWith(Schema.Record({ key: Schema.NonEmptyString, value: Variable }), { default: () => ({}) }),
  ...common
})
export type Remote = typeof Remote.Type

/** A server: a program, or one that speaks HTTP. */
export const ServerSettings = Schema.Union(Program, Remote)
export type ServerSettings = typeof ServerSettings.Type

/** Servers by name. */
export const Servers = Schema.Record({ key: ServerName, value: ServerSettings })
export type Servers = typeof Servers.Type
