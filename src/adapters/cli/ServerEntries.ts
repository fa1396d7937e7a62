/** MCP servers in a file, each checked by itself: one that cannot be used costs no other one. Pure. */
import { Array as Arr, Either, Schema } from "effect"
import { Servers } from "../mcp/Settings.js"
import * as ConfigurationIssues from "./ConfigurationIssues.js"
import type { FileIssue } from "./Failure.js"

export interface Unusable {
  readonly name: string
  readonly issues: ReadonlyArray<FileIssue>
}

/** Entries of `mcpServers`, whatever they are. */
export const Entries = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const decode = Schema.decodeUnknownEither(Schema.Struct({ mcpServers: Servers }), { errors: "all" })

/** Reads the entries of a file with this text. */
export const read = (
  text: string,
  entries: typeof Entries.Type,
  unknownFields: "error" | "ignore"
): { readonly usable: Servers; readonly unusable: ReadonlyArray<Unusable> } => {
  const [unusable, usable] = Arr.partitionMap(Object.entries(entries), ([name, settings]) =>
    Either.mapBoth(decode({ mcpServers: { [name]: settings } }, { onExcessProperty: unknownFields }), {
      onLeft: (error): Unusable => ({ name, issues: ConfigurationIssues.inFile(text, error) }),
      onRight: ({ mcpServers }) => Object.entries(mcpServers)
    })
  )
  return { usable: Object.fromEntries(usable.flat()), unusable }
}
