/**
 * Tools of servers that speak the Model Context Protocol, for agents. A server is started, or connected to, when its
 * tools are first asked for, and left again after some minutes without use. A server that dies, hangs or floods fails
 * its own calls and nothing else.
 */
import { Clock, Context, Effect, Fiber, Layer, Option, Schema, type Scope } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import { isWithin } from "../node/Within.js"
import * as CommandText from "./CommandText.js"
import * as Commands from "./Commands.js"
import * as Connections from "./Connections.js"
import * as LeftOut from "./LeftOut.js"
import * as Listing from "./Listing.js"
import { McpFailed, type McpLeftOut, type McpRefused, McpUnknown } from "./McpFailed.js"
import * as McpTools from "./McpTools.js"
import * as Names from "./Names.js"
import * as Results from "./Results.js"
import { Servers } from "./Settings.js"

export { McpFailed, McpLeftOut, McpRefused, McpUnknown } from "./McpFailed.js"
export type { Resource } from "./Listing.js"
export type { McpTool } from "./McpTools.js"
export type { Argument, Command } from "./Commands.js"
export type { Content } from "./Results.js"
export { Program, Remote, ServerName, Servers, ServerSettings } from "./Settings.js"

/** What an engine's agents get from servers. */
export interface Service {
  /** The names of all servers, in the order of the settings. */
  readonly servers: ReadonlyArray<string>
  /** The tools of a server, for `Agents.withTools`. A tool that cannot be used is left out, and reported. */
  readonly tools: (server: string) => Effect.Effect<ReadonlyArray<McpTools.McpTool>, McpFailed | McpUnknown>
  /**
   * The tools of all servers for a session, by the folder that it works in. A server that fails is left out, and
   * logged; one that has not listed its tools within ten seconds is left out until it has, and not waited for again.
   */
  readonly toolsFor: (workdir: string | null) => Effect.Effect<ReadonlyArray<McpTools.McpTool>>
  /**
   * The prompts of all servers for a session in this folder, as slash commands such as `server__prompt`. A server that
   * fails, or has not listed its prompts within ten seconds, is left out.
   */
  readonly commands: (workdir: string | null) => Effect.Effect<ReadonlyArray<Commands.Command>>
  /**
   * Returns what a command says, given what was typed after it, for the user's message. Fails with `InvalidInput` for a
   * name that is not a command in this folder, and for missing or too many arguments.
   */
  readonly expand: (
    workdir: string | null,
    name: string,
    typed: string
  ) => Effect.Effect<Results.Content, InvalidInput | McpFailed | McpRefused | McpUnknown>
  /** The resources of a server, as it lists them. */
  readonly resources: (server: string) => Effect.Effect<ReadonlyArray<Listing.Resource>, McpFailed | McpUnknown>
  /** What a resource holds, for the user's message. A server that is not for this folder is unknown there. */
  readonly read: (
    workdir: string | null,
    server: string,
    uri: string
  ) => Effect.Effect<Results.Content, McpFailed | McpRefused | McpUnknown>
  /** Who a server says it is. */
  readonly about: Connections.Service["about"]
}

/** How servers are reached. */
export interface Options {
  /** The absolute path of a folder with logins. */
  readonly logins?: string | null
  /** Told each time that a server, or something of what it lists, is left out, besides the log. Defaults to nothing. */
  readonly onLeftOut?: (leftOut: McpFailed | McpLeftOut | McpUnknown) => Effect.Effect<void>
}

/** The servers of a host. */
export class Mcp extends Context.Tag("skein/Mcp")<Mcp, Service>() {}

/** How long steps wait for the tools of a server that is just starting. */
const patienceMillis = 10_000

/** A server's tools while they are listed. */
interface Listing {
  readonly fiber: Fiber.RuntimeFiber<ReadonlyArray<McpTools.McpTool>>
  /** When steps no longer wait for it, in milliseconds since the epoch. */
  readonly until: number
}

const decode = Schema.decodeUnknown(Servers, { onExcessProperty: "error" })

/**
 * Servers by name, in the form that most programs use for `mcpServers`: `{ command, args, env, cwd }`, or
 * `{ url, headers }` for streamable HTTP. `reads` names the tools that only read. Fails with `InvalidInput` for
 * settings of another form. `logins` is the folder of `skein mcp login`, for servers that ask for OAuth; it defaults to
 * none. Connections end with the scope.
 *
 * A client that brings servers for one session of its own gives the session their tools like this:
 *
 * ```ts
 * const mcp = yield* Mcp.make(servers)
 * yield* sessionTools.add(session.id, mcp.toolsFor(session.workdir))
 * ```
 */
export const make = (
  servers: typeof Servers.Encoded,
  { logins = null, onLeftOut = () => Effect.void }: Options = {}
): Effect.Effect<Service, InvalidInput, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* Effect.mapError(
      decode(servers),
      () =>
        new InvalidInput({
          field: "mcpServers",
          limit: "servers by name: { command } or { url }",
          actual: "something else"
        })
    )
    const connections = yield* Connections.make(settings, logins)
    const scope = yield* Effect.scope
    const names = Object.keys(settings)
    const report = LeftOut.reporting(onLeftOut)
    const toolsOf = McpTools.make(connections, report)
    const tools = (server: string) => toolsOf(server, settings[server])

    const isFor = (workdir: string | null) => (server: string) => {
      const folder = settings[server]?.folder
      return folder === undefined || (workdir !== null && isWithin(folder, workdir))
    }

    const leftOut = (server: string) => (error: McpFailed | McpUnknown) =>
      Effect.annotateLogs(Effect.logWarning("an MCP server cannot be used"), { server, error: error.message }).pipe(
        Effect.zipRight(onLeftOut(error)),
        Effect.as([])
      )
    const looking = new Map<string, Listing>()
    /** Servers that have kept a step waiting in vain: no other step waits for them until they have listed their tools. */
    const late = new Set<string>()
    const listed = (server: string) =>
      Effect.tap(tools(server), () => Effect.sync(() => late.delete(server))).pipe(Effect.catchAll(leftOut(server)))
    /** Lists a server's tools, one listing at a time. A caller that stops waiting leaves it to the next one. */
    const look = (server: string) =>
      Effect.gen(function* () {
        const begun = looking.get(server)
        if (begun !== undefined && begun.fiber.unsafePoll() === null) return begun
        const now = yield* Clock.currentTimeMillis
        const fiber = yield* Effect.forkIn(listed(server), scope)
        const listing = { fiber, until: late.has(server) ? now : now + patienceMillis }
        looking.set(server, listing)
        return listing
      })
    const isHere = (workdir: string | null, server: string): Effect.Effect<void, McpUnknown> => {
      const here = names.filter(isFor(workdir))
      return here.includes(server) ? Effect.void : new McpUnknown({ server, known: here })
    }
    const commandsOf = (server: string) => Commands.of(connections, server, report)
    const commandsInTime = (server: string) =>
      Effect.map(
        Effect.timeoutOption(Effect.catchAll(commandsOf(server), leftOut(server)), patienceMillis),
        Option.getOrElse(() => [])
      )

    const silent = (server: string) => new McpFailed({ server, operation: "list", reason: "it does not answer" })
    const toolsInTime = (server: string) =>
      Effect.gen(function* () {
        const { fiber, until } = yield* look(server)
        const left = Math.max(0, until - (yield* Clock.currentTimeMillis))
        const found = yield* Effect.timeoutOption(Fiber.join(fiber), left)
        if (Option.isSome(found)) return found.value
        if (late.has(server)) return []
        late.add(server)
        return yield* leftOut(server)(silent(server))
      })

    const reported = new Set<string>()
    /** Of several tools with one name the first is kept: names of two servers can begin alike, such as `a` and `a__b`. */
    const distinct = Effect.fnUntraced(function* (found: ReadonlyArray<readonly [string, McpTools.McpTool]>) {
      const kept = new Map<string, McpTools.McpTool>()
      for (const [server, tool] of found) {
        const { name } = tool
        if (!kept.has(name)) kept.set(name, tool)
        else if (!reported.has(name)) {
          reported.add(name)
          yield* report(server, "tools", [{ name, reason: Names.taken }])
        }
      }
      return [...kept.values()]
    })

    return {
      servers: names,
      tools,
      toolsFor: (workdir) =>
        Effect.flatMap(
          Effect.forEach(
            names.filter(isFor(workdir)),
            (server) => Effect.map(toolsInTime(server), (tools) => tools.map((tool) => [server, tool] as const)),
            { concurrency: "unbounded" }
          ),
          (found) => distinct(found.flat())
        ),
      commands: (workdir) =>
        Effect.map(
          Effect.forEach(names.filter(isFor(workdir)), commandsInTime, { concurrency: "unbounded" }),
          (found) => found.flat()
        ),
      expand: (workdir, name, typed) =>
        Effect.gen(function* () {
          const servers = names.filter(isFor(workdir)).filter((server) => CommandText.isOf(server, name))
          const [failures, found] = yield* Effect.partition(servers, commandsOf)
          const all = found.flat()
          const command = all.find((one) => one.name === name)
          if (command !== undefined) return yield* Commands.expand(connections, command, typed)
          const [failure] = failures
          if (failure !== undefined) return yield* failure
          const limit =
            all.length === 0 ? "a prompt of a server" : `one of ${all.map(({ name }) => `/${name}`).join(" ")}`
          return yield* new InvalidInput({ field: "command", limit, actual: `/${name.slice(0, 100)}` })
        }),
      resources: (server) =>
        Effect.gen(function* () {
          const listed = yield* connections.resources(server)
          yield* report(server, "resources", Listing.leftOut(listed))
          return Listing.usable(listed)
        }),
      read: (workdir, server, uri) =>
        Effect.zipRight(isHere(workdir, server), Effect.map(connections.resource(server, uri), Results.ofResource)),
      about: connections.about
    } satisfies Service
  })

/** The result of `make`, for as long as the layer. */
export const layer = (servers: typeof Servers.Encoded, options: Options = {}): Layer.Layer<Mcp, InvalidInput> =>
  Layer.scoped(Mcp, make(servers, options))

/** The tools of a server. */
export const tools = (server: string): Effect.Effect<ReadonlyArray<McpTools.McpTool>, McpFailed | McpUnknown, Mcp> =>
  Effect.flatMap(Mcp, (mcp) => mcp.tools(server))

/** The tools that a session has now, by the folder that it works in. */
export const toolsFor = (workdir: string | null): Effect.Effect<ReadonlyArray<McpTools.McpTool>, never, Mcp> =>
  Effect.flatMap(Mcp, (mcp) => mcp.toolsFor(workdir))
