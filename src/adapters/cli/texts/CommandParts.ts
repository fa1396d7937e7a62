/** What a command consists of in the help, and the options that several commands share. */

export interface Argument {
  readonly name: string
  readonly about: string
  readonly isOptional?: boolean
  /** Whether there may be several, at the end. */
  readonly isRepeated?: boolean
}

export interface Option<Name extends string = string> {
  readonly name: Name
  /** The placeholder for the value in the help; null for an option without one. */
  readonly value: string | null
  readonly about: string
}

export interface Command<Options extends string = string> {
  /** The words that call it. */
  readonly name: string
  readonly about: string
  readonly arguments: ReadonlyArray<Argument>
  readonly options: ReadonlyArray<Option<Options>>
  readonly examples: ReadonlyArray<string>
}

export const data = {
  name: "data",
  value: "DIR",
  about: "Data folder. Defaults to SKEIN_DATA, then to the platform's standard location"
} as const
export const database = {
  name: "database",
  value: "URL",
  about:
    "PostgreSQL database with the sessions, instead of a data folder. Defaults to SKEIN_DATABASE. Other users can see command lines: for a password, use SKEIN_DATABASE, PGPASSWORD or ~/.pgpass"
} as const
export const noDatabase = {
  ...database,
  about: "Not supported: use PostgreSQL's own tools, such as pg_dump"
} as const
export const json = { name: "json", value: null, about: "Print lines of JSON, for other programs" } as const
export const session: Argument = { name: "SESSION", about: "A session's id, or the beginning of it if that is unique" }
