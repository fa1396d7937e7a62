/**
 * A process of the tests: calls a tool in the folder that it runs in, and prints the result, or why there is no result.
 */
import { Effect } from "effect"
import { WorkspaceTools } from "../../../src/node.js"
import { inFolder } from "../../unit/adapters/tools/TestWorkspace.js"

const [, , name = "", input = ""] = process.argv

const call = Effect.gen(function* () {
  const tool = yield* Effect.fromNullable([...WorkspaceTools.files].find((each) => each.name === name))
  const prepared = yield* tool.prepare(input)
  return (yield* prepared.run).text
}).pipe(
  Effect.catchAll((error: unknown) => Effect.succeed(`failed: ${error instanceof Error ? error.message : "unknown"}`)),
  inFolder(process.cwd())
)

process.stdout.write(`${await Effect.runPromise(call)}\n`)
