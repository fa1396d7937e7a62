/**
 * Connections to servers: opened when first asked for, kept while in use, closed some minutes later, and opened again
 * if the server has ended meanwhile. A server that fails again and again is left alone for a while.
 *
 * Servers are not trusted: their schemas are not compiled, only what is used of their answers is read, their texts are in no error except `McpRefused`, and
 * whatever they do fails only the requests to them.
 */
import type { AuthProvider, Client, Transport } from "@modelcontextprotocol/client"
import { Clock, Duration, Effect, Predicate, RcMap, Runtime, Schema, type Scope } from "effect"
import { codeOf } from "../ErrorCode.js"
import { boundedFetch, fetchWithLogin } from "./BoundedFetch.js"
import * as Elicitation from "./Elicitation.js"
import * as Listing from "./Listing.js"
import * as Logins from "./Logins.js"
import * as Refreshing from "./Refreshing.js"
import { McpFailed, McpRefused, McpUnknown } from "./McpFailed.js"
import { Misbehaved } from "./MessageBounds.js"
import * as ResultForm from "./ResultForm.js"
import type { ServerSettings, Servers } from "./Settings.js"
import * as StdioTransport from "./StdioTransport.js"

/** How long an unused server is kept. */
const idle = Duration.minutes(5)

/** Milliseconds that a server may take to say who it is, and to list its tools. */
const patience = 30_000

/** After this many failures within this many milliseconds, a server is left alone until that time is over. */
const mostFailures = 3
const failuresWithin = 60_000

/** The protocol's own limit on a call is not used: the engine has one. */
const noLimit = 2 ** 31 - 1

const callForm = Schema.standardSchemaV1(ResultForm.Call)
const promptForm = Schema.standardSchemaV1(ResultForm.Prompt)
const resourceForm = Schema.standardSchemaV1(ResultForm.Contents)

/** How far a call has come, as its server says. */
export interface Progress {
  readonly progress: number
  readonly total?: number | undefined
  readonly message?: string | undefined
}

/** The caller of a tool, which hears about the call while it lasts. */
export interface Caller extends Elicitation.Asker {
  readonly onProgress: (progress: Progress) => void
}

export interface Service {
  /** The tools of a server, as it lists them. */
  readonly tools: (server: string) => Effect.Effect<Listing.Listed<Listing.Tool>, McpFailed | McpUnknown>
  /** Calls a tool. If interrupted, it tells the server that the call is cancelled. */
  readonly call: (
    server: string,
    tool: string,
    input: Readonly<Record<string, unknown>>,
    caller: Caller
  ) => Effect.Effect<ResultForm.Call, McpFailed | McpUnknown | McpRefused>
  /** The prompts of a server, as it lists them. */
  readonly prompts: (server: string) => Effect.Effect<Listing.Listed<Listing.Prompt>, McpFailed | McpUnknown>
  /** What a prompt says with these arguments. */
  readonly prompt: (
    server: string,
    prompt: string,
    given: Readonly<Record<string, string>>
  ) => Effect.Effect<ResultForm.Prompt, McpFailed | McpUnknown | McpRefused>
  /** The resources of a server, as it lists them. */
  readonly resources: (server: string) => Effect.Effect<Listing.Listed<Listing.Resource>, McpFailed | McpUnknown>
  /** What a resource holds. */
  readonly resource: (
    server: string,
    uri: string
  ) => Effect.Effect<ResultForm.Contents, McpFailed | McpUnknown | McpRefused>
  /** Who a server says it is. */
  readonly about: (
    server: string
  ) => Effect.Effect<{ readonly name: string; readonly version: string }, McpFailed | McpUnknown>
}

interface Connection {
  readonly client: Client
  /** What went wrong first; null while nothing has. */
  why: string | null
  tools: Listing.Listed<Listing.Tool> | null
  /** The callers whose calls are in progress, oldest first. */
  readonly callers: Set<Caller>
}

/** Whether a server wants to know who the user is. */
const isUnauthorized = (thrown: unknown): boolean =>
  thrown instanceof Logins.LoginNeeded ||
  (thrown instanceof Error && thrown.name === "UnauthorizedError") ||
  (Predicate.hasProperty(thrown, "status") && thrown.status === 401)

/** The SDK has no error of its own for this one. Its text is not passed on, because it holds what the server wrote. */
const isUnknownVersion = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.startsWith("Server's protocol version is not supported")

const isInvalid = (thrown: unknown): boolean =>
  Predicate.hasProperty(thrown, "code") && thrown.code === "INVALID_RESULT"

const reasonOf = (thrown: unknown): string => {
  if (isUnauthorized(thrown)) return "it requires a login: skein mcp login"
  if (isUnknownVersion(thrown)) return "it speaks a version of the protocol that is not supported"
  if (isInvalid(thrown)) return "its answer does not keep to the protocol"
  return thrown instanceof Misbehaved ? thrown.message : codeOf(thrown)
}

/** Why an answer cannot be used; null for any other failure. */
const wrongAnswer = (thrown: unknown): string | null =>
  isAnswer(thrown) ? "it answered with an error" : isInvalid(thrown) ? reasonOf(thrown) : null

/** Whether a server answered with an error: its text is for the model, like a result. */
const isAnswer = (thrown: unknown): thrown is Error =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "number"

const loaded = Effect.promise(() => import("@modelcontextprotocol/client"))

type Loaded = typeof import("@modelcontextprotocol/client")

const transportOf = (
  { StreamableHTTPClientTransport }: Loaded,
  settings: ServerSettings,
  authProvider: AuthProvider | null,
  onErrorText: (text: string) => void
): Transport => {
  if (!("url" in settings)) return StdioTransport.make(settings, onErrorText)
  const giveUp = (error: Misbehaved) => {
    transport.onerror?.(error)
    void transport.close()
  }
  const transport = new StreamableHTTPClientTransport(new URL(settings.url), {
    fetch: authProvider === null ? boundedFetch(giveUp) : fetchWithLogin(settings.url, giveUp),
    redirectPolicy: "same-origin",
    ...(authProvider === null ? {} : { authProvider }),
    requestInit: { headers: { ...settings.headers } }
  })
  return transport
}

/** Connects to servers by name, with the logins of a folder. All connections end with the scope. */
export const make = (servers: Servers, logins: string | null): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const failures = new Map<string, ReadonlyArray<number>>()

    const recentFailures = (server: string) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        (failures.get(server) ?? []).filter((at) => now - at < failuresWithin)
      )

    const noteFailure = (server: string) =>
      Effect.gen(function* () {
        const recent = yield* recentFailures(server)
        failures.set(server, [...recent, yield* Clock.currentTimeMillis])
      })

    const connect = Effect.fn("Mcp.connect")(function* (server: string) {
      const settings = servers[server]
      if (settings === undefined) return yield* new McpUnknown({ server, known: Object.keys(servers) })
      const failed = (reason: string) => new McpFailed({ server, operation: "connect", reason })
      if ((yield* recentFailures(server)).length >= mostFailures) {
        return yield* failed("it failed several times within a minute, and is not tried again for a minute")
      }
      const sdk = yield* loaded
      const log = (text: string) =>
        void runFork(
          Effect.annotateLogs(Effect.logDebug("an MCP server wrote to its standard error"), { server, text })
        )
      const login = logins !== null && "url" in settings ? { folder: logins, url: settings.url } : null
      const found = login === null ? null : yield* Effect.promise(() => Logins.find(login.folder, server, login.url))
      const provider = found === null ? null : Refreshing.make(sdk, found.login, found.lock)
      const transport = transportOf(sdk, settings, provider, log)
      const client = new sdk.Client(
        { name: "skein", version: "0" },
        { capabilities: { elicitation: { form: {}, url: {} } } }
      )
      const connection: Connection = { client, why: null, tools: null, callers: new Set() }
      client.onerror = (error) => (connection.why ??= reasonOf(error))
      client.setRequestHandler("elicitation/create", ({ params }, { mcpReq: { signal } }) =>
        Elicitation.answer(server, connection.callers, params, signal)
      )
      // Interruptible: the end of a run does not wait for a server that never says who it is.
      yield* Effect.acquireReleaseInterruptible(
        Effect.tryPromise({
          try: (signal) => client.connect(transport, { signal, timeout: patience }),
          catch: (thrown) => failed(connection.why ?? reasonOf(thrown))
        }).pipe(Effect.tapError(() => Effect.zipRight(close(client), noteFailure(server)))),
        () => close(client)
      )
      client.onclose = () =>
        void runFork(
          Effect.zipRight(
            Effect.annotateLogs(Effect.logWarning("an MCP server ended"), {
              server,
              why: connection.why ?? "it closed"
            }),
            Effect.zipRight(noteFailure(server), forget(server))
          )
        )
      client.setNotificationHandler("notifications/tools/list_changed", () => {
        connection.tools = null
      })
      return connection
    })

    /** Has the server started again when it is next asked for. */
    const forget = (server: string): Effect.Effect<void> => RcMap.invalidate(connections, server)

    const connections = yield* RcMap.make({
      // A failure would be kept as a connection is.
      lookup: (server: string) => Effect.tapErrorCause(connect(server), () => forget(server)),
      idleTimeToLive: idle
    })

    /** Uses the server's connection. A server that is ended because it is no longer used has not failed. */
    const use = <A, E>(server: string, run: (connection: Connection) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.flatMap(RcMap.get(connections, server), run))

    const list = <A>(server: string, { client }: Connection, what: Listing.List<A>) =>
      Effect.tryPromise({
        try: (signal) => Listing.read(what, server, client, { signal, timeout: patience }, wrongAnswer),
        catch: (thrown) => new McpFailed({ server, operation: "list", reason: reasonOf(thrown) })
      })

    /** Asks a server for one answer. A refusal is reported in the server's words. */
    const ask = <A>(
      server: string,
      operation: McpFailed["operation"],
      connection: Connection,
      request: (signal: AbortSignal) => Promise<A>
    ) =>
      Effect.tryPromise({
        try: request,
        catch: (thrown) =>
          isAnswer(thrown)
            ? new McpRefused({ text: thrown.message })
            : new McpFailed({ server, operation, reason: connection.why ?? reasonOf(thrown) })
      })

    return {
      tools: (server) =>
        use(server, (connection) =>
          connection.tools === null
            ? Effect.tap(list(server, connection, Listing.tools), (tools) =>
                Effect.sync(() => void (connection.tools = tools))
              )
            : Effect.succeed(connection.tools)
        ),
      call: (server, name, input, caller) =>
        use(server, (connection) =>
          during(
            connection.callers,
            caller,
            ask(server, "call", connection, (signal) =>
              connection.client.request({ method: "tools/call", params: { name, arguments: { ...input } } }, callForm, {
                signal,
                timeout: noLimit,
                onprogress: caller.onProgress
              })
            )
          )
        ),
      prompts: (server) =>
        use(server, (connection) =>
          connection.client.getServerCapabilities()?.prompts === undefined
            ? Effect.succeed([])
            : list(server, connection, Listing.prompts)
        ),
      prompt: (server, name, given) =>
        use(server, (connection) =>
          ask(server, "prompt", connection, (signal) =>
            connection.client.request(
              { method: "prompts/get", params: { name, arguments: { ...given } } },
              promptForm,
              { signal, timeout: patience }
            )
          )
        ),
      resources: (server) =>
        use(server, (connection) =>
          connection.client.getServerCapabilities()?.resources === undefined
            ? Effect.succeed([])
            : list(server, connection, Listing.resources)
        ),
      resource: (server, uri) =>
        use(server, (connection) =>
          ask(server, "read", connection, (signal) =>
            connection.client.request({ method: "resources/read", params: { uri } }, resourceForm, {
              signal,
              timeout: patience
            })
          )
        ),
      about: (server) =>
        use(server, ({ client }) => {
          const { name = server, version = "" } = client.getServerVersion() ?? {}
          return Effect.succeed({ name, version })
        })
    } satisfies Service
  })

/** Runs an effect while the caller is one of `callers`. */
const during = <A, E>(callers: Set<Caller>, caller: Caller, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => void callers.add(caller)),
    () => effect,
    () => Effect.sync(() => void callers.delete(caller))
  )

const close = (client: Client): Effect.Effect<void> =>
  Effect.suspend(() => {
    client.onclose = () => {}
    return Effect.ignore(Effect.tryPromise(() => client.close()))
  })
