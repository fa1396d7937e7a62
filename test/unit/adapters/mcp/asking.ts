/** Asks an MCP server for its tools with a login from a folder, and prints the result: `asking.ts URL FOLDER`. */
import { Effect } from "effect"
import { Mcp } from "../../../../src/mcp.js"

const [url = "", logins = ""] = process.argv.slice(2)

const asked = Effect.flatMap(Mcp.make({ docs: { url } }, { logins }), (mcp) => mcp.tools("docs"))

const said = await Effect.runPromise(
  Effect.scoped(Effect.match(asked, { onFailure: ({ message }) => message, onSuccess: () => "done" }))
)
console.log(said)
