/**
 * A server's tools as tools of an agent, named `server__tool`. They count as writing unless the settings say that they
 * read; what a server says about its own tools loosens nothing. A tool that cannot be shown to a model is left out, and
 * reported.
 */
import { Effect, Either, Runtime } from "effect"
import * as InputSchema from "../../domain/InputSchema.js"
import type { JsonRecord } from "../../domain/Json.js"
import * as Tool from "../../services/Tool.js"
import type * as Connections from "./Connections.js"
import type * as Listing from "./Listing.js"
import type * as LeftOut from "./LeftOut.js"
import type { LeftOutEntry, McpFailed, McpRefused, McpUnknown } from "./McpFailed.js"
import * as Names from "./Names.js"
import * as Results from "./Results.js"
import type { ServerSettings } from "./Settings.js"

/** A tool of a server. */
export type McpTool = Tool.Tool<string, JsonRecord, Tool.Result, McpFailed | McpRefused | McpUnknown, never>

const longestDescription = 4_096
const longestSchema = 64 * 1024

/** The most characters in all descriptions and schemas of a server's tools: no model could be shown more. */
const mostOfAll = 1024 * 1024

const told = ({ message, progress, total }: Connections.Progress): string =>
  [total === undefined ? `${progress}` : `${progress}/${total}`, ...(message === undefined ? [] : [message])].join(" ")

type Portable = Either.Either<InputSchema.InputSchema, string>

const sizeOf = ({ description = "", inputSchema }: Listing.Tool) => ({
  description: description.length,
  schema: (JSON.stringify(inputSchema) ?? "").length
})

/** The input schema of a tool as providers accept it, or why the tool is left out. */
const schemaOf = ({ inputSchema }: Listing.Tool, size: ReturnType<typeof sizeOf>, left: number): Portable => {
  if (size.description > longestDescription) return Either.left("its description is too long")
  if (size.schema > longestSchema) return Either.left("its input schema is too long")
  if (size.description + size.schema > left) return Either.left("the tools of its server are too long together")
  return Either.mapLeft(InputSchema.portable(inputSchema), ({ limit }) => `its input schema: ${limit}`)
}

const read = (
  connections: Connections.Service,
  server: string,
  settings: ServerSettings | undefined,
  listed: Listing.Listed<Listing.Tool>
) => {
  const tools: Array<McpTool> = []
  const leftOut: Array<LeftOutEntry> = []
  const names = new Set<string>()
  let left = mostOfAll
  for (const entry of listed) {
    if (Either.isLeft(entry)) {
      leftOut.push(entry.left)
      continue
    }
    const tool = entry.right
    const name = Names.of(server, tool.name)
    const size = sizeOf(tool)
    const schema = names.has(name) ? Either.left(Names.taken) : schemaOf(tool, size, left)
    if (Either.isLeft(schema)) {
      leftOut.push({ name, reason: schema.left })
      continue
    }
    names.add(name)
    left -= size.description + size.schema
    tools.push(toolOf(connections, server, settings, name, tool, schema.right))
  }
  return { tools, leftOut }
}

/** Makes tools from what servers list. An unchanged list is read once, because agents ask for it at each step. */
export const make = (connections: Connections.Service, report: LeftOut.Report) => {
  const known = new WeakMap<Listing.Listed<Listing.Tool>, ReadonlyArray<McpTool>>()

  /** The tools of a server, as it lists them now. */
  return Effect.fn("Mcp.tools")(function* (server: string, settings: ServerSettings | undefined) {
    const listed = yield* connections.tools(server)
    const before = known.get(listed)
    if (before !== undefined) return before
    const { leftOut, tools } = read(connections, server, settings, listed)
    known.set(listed, tools)
    yield* report(server, "tools", leftOut)
    return tools
  })
}

/** The call in progress, for its server. Once a request's signal is aborted, nobody waits for the answer. */
const caller = Effect.gen(function* () {
  const runtime = yield* Effect.runtime<Tool.Call>()
  const { sessionId } = yield* Tool.Call
  const runFork = Runtime.runFork(runtime)
  return {
    session: sessionId,
    onProgress: (progress) => void runFork(Tool.progress(told(progress))),
    ask: (inquiry, signal) =>
      Runtime.runPromise(runtime)(
        Effect.catchTag(Tool.ask(inquiry), "InvalidInput", ({ message }) =>
          Effect.as(Effect.annotateLogs(Effect.logWarning("an MCP server cannot ask this"), { error: message }), null)
        ),
        { signal }
      )
  } satisfies Connections.Caller
})

const toolOf = (
  connections: Connections.Service,
  server: string,
  settings: ServerSettings | undefined,
  name: string,
  { description, name: listedName, title }: Listing.Tool,
  inputSchema: InputSchema.InputSchema
): McpTool =>
  Tool.dynamic(name, {
    description: description ?? title ?? "",
    access: settings?.reads.includes(listedName) === true ? "read" : "write",
    inputSchema
  }).handle(
    (input) =>
      Effect.gen(function* () {
        const result = yield* connections.call(server, listedName, input, yield* caller)
        return yield* Results.read(result)
      }),
    settings?.timeoutMillis === undefined ? {} : { timeout: settings.timeoutMillis }
  )
