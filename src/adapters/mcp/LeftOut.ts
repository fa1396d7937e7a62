/** Says what of a server is left out: in the log, each entry with its reason, and to whoever listens. */
import { Array as Arr, Effect } from "effect"
import { type LeftOutEntry, McpLeftOut } from "./McpFailed.js"

/** Reports what was left out of one list of a server; nothing when that is nothing. */
export type Report = (
  server: string,
  what: McpLeftOut["what"],
  entries: ReadonlyArray<LeftOutEntry>
) => Effect.Effect<void>

/** `listener` is told once for each list. */
export const reporting =
  (listener: (leftOut: McpLeftOut) => Effect.Effect<void>): Report =>
  (server, what, entries) => {
    if (!Arr.isNonEmptyReadonlyArray(entries)) return Effect.void
    const log = Effect.forEach(entries, ({ name, reason }) =>
      Effect.annotateLogs(Effect.logWarning("an entry of an MCP server's list is left out"), {
        server,
        what,
        name,
        reason
      })
    )
    return Effect.zipRight(log, listener(new McpLeftOut({ server, what, entries })))
  }
