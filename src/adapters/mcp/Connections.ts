/**
 * Connections to servers: opened when first asked for, kept while in use, closed some minutes later, and opened again
 * if the server has ended meanwhile. A server that fails again and again is left alone for a while.
 *
 * Servers are not trusted: their schemas are not compiled, only what is used of their answers is read, their texts are in
 * no error except `McpRefused`, and whatever they do fails only the requests to them.
 */
import type { AuthProvider, Client, Transport } from "@modelcontextprotocol/client"
import { Clock, Duration, Effect, Either, RcMap, Runtime, Schema, type Scope } from "effect"
import { fetchWithLogin } from "./BoundedFetch.js"
import * as Elicitation from "./Elicitation.js"
import * as Exchange from "./Exchange.js"
import * as HttpTransport from "./HttpTransport.js"
import * as Listing from "./Listing.js"
import * as Logins from "./Logins.js"
import * as Refreshing from "./Refreshing.js"
import { McpFailed, McpRefused, McpUnknown } from "./McpFailed.js"
import { Misbehaved } from "./MessageBounds.js"
import * as Reasons from "./Reasons.js"
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

/** A server to connect to: each of its connections has a key of its own. */
interface Key {
  readonly server: string
}

interface Connection {
  readonly key: Key
  readonly client: Client
  /** Why the server was given up; null while it was not. */
  why: string | null
  /** Its tools; null when they must be listed. */
  tools: Listing.Listed<Listing.Tool> | null
  /** How often its tools have changed. */
  changes: number
  /** What the server wants before it answers again; null while it answers. */
  wants: "a new session" | "a login" | null
  /** The callers whose calls are in progress, oldest first. */
  readonly callers: Set<Caller>
}

const loaded = Effect.promise(() => import("@modelcontextprotocol/client"))

type Loaded = typeof import("@modelcontextprotocol/client")

const transportOf = (
  sdk: Loaded,
  settings: ServerSettings,
  authProvider: AuthProvider | null,
  onErrorText: (text: string) => void
): Transport =>
  Exchange.over(
    sdk,
    "url" in settings ? HttpTransport.make(sdk, settings, authProvider) : StdioTransport.make(settings, onErrorText)
  )

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

    const connect = Effect.fn("Mcp.connect")(function* (key: Key) {
      const { server } = key
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
      const provider =
        found === null || login === null
          ? null
          : Refreshing.make(sdk, found.login, found.lock, fetchWithLogin(login.url))
      const transport = transportOf(sdk, settings, provider, log)
      const client = new sdk.Client(
        { name: "skein", version: "0" },
        { capabilities: { elicitation: { form: {}, url: {} } } }
      )
      const connection: Connection = {
        key,
        client,
        why: null,
        tools: null,
        changes: 0,
        wants: null,
        callers: new Set()
      }
      client.onerror = (error) => {
        if (error instanceof Misbehaved) connection.why ??= error.message
      }
      client.setRequestHandler("elicitation/create", ({ params }, { mcpReq: { signal } }) =>
        Elicitation.answer(server, connection.callers, params, signal)
      )
      // Interruptible: the end of a run does not wait for a server that never says who it is.
      yield* Effect.acquireReleaseInterruptible(
        Effect.tryPromise({
          try: (signal) => client.connect(transport, { signal, timeout: patience }),
          catch: (thrown) => failed(connection.why ?? Reasons.of(thrown))
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
            Effect.zipRight(noteFailure(server), forget(key))
          )
        )
      client.setNotificationHandler("notifications/tools/list_changed", () => {
        connection.tools = null
        connection.changes++
      })
      return connection
    })

    const keys = new Map<string, Key>()
    const keyOf = (server: string): Key => {
      const key = keys.get(server) ?? { server }
      keys.set(server, key)
      return key
    }

    /** Has the server started again when it is next asked for. */
    const forget = (key: Key): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (keys.get(key.server) === key) keys.delete(key.server)
        return RcMap.invalidate(connections, key)
      })

    const connections = yield* RcMap.make({
      // A failure would be kept as a connection is.
      lookup: (key: Key) => Effect.tapErrorCause(connect(key), () => forget(key)),
      idleTimeToLive: idle
    })

    /**
     * Uses the server's connection. A server that is ended because it is no longer used has not failed. One that has
     * forgotten the session is asked again in a new one, once.
     */
    const use = <A, E>(server: string, run: (connection: Connection) => Effect.Effect<A, E>) => {
      const once = Effect.suspend(() => RcMap.get(connections, keyOf(server))).pipe(
        Effect.flatMap((connection) =>
          Effect.map(Effect.either(run(connection)), (result) => ({ connection, result }))
        ),
        Effect.scoped
      )
      return Effect.gen(function* () {
        const { connection, result } = yield* once
        if (Either.isRight(result) || connection.wants === null) return yield* result
        yield* forget(connection.key)
        return yield* connection.wants === "a new session" ? (yield* once).result : result
      })
    }

    const fail = (connection: Connection, operation: McpFailed["operation"], thrown: unknown) => {
      if (Reasons.isUnauthorized(thrown)) connection.wants = "a login"
      else if (connection.client.transport?.sessionId !== undefined && Reasons.isForgotten(thrown))
        connection.wants = "a new session"
      return new McpFailed({
        server: connection.key.server,
        operation,
        reason: connection.why ?? Reasons.of(thrown)
      })
    }

    const list = <A>(connection: Connection, what: Listing.List<A>) =>
      Effect.tryPromise({
        try: (signal) => Listing.read(what, connection.key.server, connection.client, { signal, timeout: patience }),
        catch: (thrown) => fail(connection, "list", thrown)
      })

    const listTools = (connection: Connection) =>
      Effect.suspend(() => {
        const { changes } = connection
        return Effect.tap(list(connection, Listing.tools), (tools) =>
          Effect.sync(() => {
            if (connection.changes === changes) connection.tools = tools
          })
        )
      })

    /** Asks a server for one answer. A refusal is reported in the server's words. */
    const ask = <A>(
      operation: McpFailed["operation"],
      connection: Connection,
      request: (signal: AbortSignal) => Promise<A>
    ) =>
      Effect.tryPromise({
        try: request,
        catch: (thrown) =>
          Reasons.isAnswer(thrown) ? new McpRefused({ text: thrown.message }) : fail(connection, operation, thrown)
      })

    return {
      tools: (server) =>
        use(server, (connection) =>
          connection.tools === null ? listTools(connection) : Effect.succeed(connection.tools)
        ),
      call: (server, name, input, caller) =>
        use(server, (connection) =>
          during(
            connection.callers,
            caller,
            ask("call", connection, (signal) =>
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
            : list(connection, Listing.prompts)
        ),
      prompt: (server, name, given) =>
        use(server, (connection) =>
          ask("prompt", connection, (signal) =>
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
            : list(connection, Listing.resources)
        ),
      resource: (server, uri) =>
        use(server, (connection) =>
          ask("read", connection, (signal) =>
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
