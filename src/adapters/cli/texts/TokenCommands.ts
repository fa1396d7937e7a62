/** What the help says about the commands for tokens. */
import { type Argument, type Command, data, database, json } from "./CommandParts.js"

const tokenName: Argument = { name: "NAME", about: "The token's name, using a-z, 0-9, - and _" }

export const create = {
  name: "token create",
  about: "Create a token for skein serve and print it; it is shown only once",
  arguments: [tokenName],
  options: [
    { name: "scope", value: "SCOPE", about: "What it may do: read, or write, which allows everything" },
    { name: "owner", value: "OWNER", about: "Only the sessions of this owner. Without it, everybody's" },
    { name: "expires", value: "WHEN", about: "When it expires: 90m, 12h, 30d, or a date such as 2030-01-31" },
    { name: "max-runs", value: "COUNT", about: "The most runs that it may have running or waiting" },
    { name: "max-requests", value: "COUNT", about: "The most requests per second" },
    { name: "max-upload", value: "BYTES", about: "The most bytes in the body of a request" },
    data,
    database
  ],
  examples: ["skein token create ci --scope write --expires 30d", "skein token create dashboard --scope read"]
} as const satisfies Command

export const link = {
  name: "token link",
  about: "Print a link that signs a browser in to the page of the running server, once",
  arguments: [
    { name: "NAME", isOptional: true, about: "The token that the browser then has. Defaults to local, this host's own" }
  ],
  options: [data, database],
  examples: ["skein token link", "skein token link anna"]
} as const satisfies Command

export const list = {
  name: "token list",
  about: "List the named tokens",
  arguments: [],
  options: [json, data, database],
  examples: ["skein token list"]
} as const satisfies Command

export const revoke = {
  name: "token revoke",
  about: "Revoke a token immediately, also on a running server",
  arguments: [
    { name: "NAME", about: "The token's name. local is the token of this host's own clients, which get a new one" }
  ],
  options: [data, database],
  examples: ["skein token revoke ci"]
} as const satisfies Command

export const all: ReadonlyArray<Command> = [create, link, list, revoke]
