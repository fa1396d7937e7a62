/**
 * The sessions of an editor's agent: through the server that works on them as long as there is one, otherwise on an
 * engine here. Sessions that an editor steers with its own files and terminals always run here, next to the server: tools run
 * in the engine's process, and a server cannot reach an editor.
 */
import type { ClientCapabilities, McpServer } from "@agentclientprotocol/sdk"
import { Context, Effect, Layer } from "effect"
import { AgentName } from "../../domain/AgentName.js"
import type { Session } from "../../domain/Session.js"
import { SessionTools } from "../../services/SessionTools.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as ClientServers from "../acp/ClientServers.js"
import type * as OpenSessions from "../acp/OpenSessions.js"
import type * as Remarks from "../acp/Remarks.js"
import * as Requests from "../acp/Requests.js"
import * as CommandText from "../mcp/CommandText.js"
import type * as Mcp from "../mcp/Mcp.js"
import type { Servers } from "../mcp/Settings.js"
import * as Providers from "../providers/Providers.js"
import * as DataFolder from "../node/DataFolder.js"
import * as TerminalCommands from "../node/TerminalCommands.js"
import { isWithin } from "../node/Within.js"
import * as Editors from "../tools/Editors.js"
import * as AgentChoice from "./AgentChoice.js"
import * as Configuration from "./Configuration.js"
import * as Instructions from "./Instructions.js"
import * as LeftOutServers from "./LeftOutServers.js"
import * as LiveServer from "./LiveServer.js"
import * as McpServers from "./McpServers.js"
import * as ModelChoice from "./ModelChoice.js"
import * as Place from "./Place.js"
import * as RunEngine from "./RunEngine.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as McpTexts from "./texts/Mcp.js"

export interface Input {
  readonly model: string | null
  readonly place: Place.Given
}

const ownEngine = Effect.fnUntraced(function* (
  place: Place.Place,
  configuration: Configuration.Configuration,
  editors: Editors.Registry,
  onLeftOut: LeftOutServers.OnLeftOut
) {
  yield* Configuration.modelFor(configuration, null)
  const instructions = yield* Effect.cachedFunction(Instructions.read)
  const engine = RunEngine.layer(configuration, place, { system: null, instructions }, {}, onLeftOut)
  const context = yield* Layer.build(Layer.provide(engine, Layer.succeed(Editors.Editors, editors)))
  return { gateway: Context.get(context, Gateway), sessionTools: Context.get(context, SessionTools) }
})

/** Prompts of servers, for a session. */
const promptsOf = (servers: Mcp.Service, { workdir }: Session): OpenSessions.Prompts => ({
  isOne: (name) => servers.servers.some((server) => CommandText.isOf(server, name)),
  commands: servers.commands(workdir),
  expand: (name, typed) => servers.expand(workdir, name, typed)
})

/** Tells open sessions which of the user's own servers they go without. */
const makeLacks = (configuration: Configuration.Configuration) => {
  const open = new Set<{ readonly session: Session; readonly say: Remarks.Say }>()
  const isFor = (server: string, { workdir }: Session): boolean => {
    const folder = configuration.mcpServers[server]?.folder
    return folder === undefined || (workdir !== null && isWithin(folder, workdir))
  }
  const onLeftOut: LeftOutServers.OnLeftOut = (left) => {
    const { subject, text } = LeftOutServers.remark(left)
    return Effect.forEach(
      [...open].filter(({ session }) => isFor(left.server, session)),
      ({ say }) => say(subject, TerminalText.line(text)),
      { discard: true }
    )
  }
  const lacks = (session: Session, say: Remarks.Say) =>
    Effect.gen(function* () {
      const one = { session, say }
      yield* Effect.acquireRelease(
        Effect.sync(() => open.add(one)),
        () => Effect.sync(() => open.delete(one))
      )
      for (const server of configuration.unusableServers) {
        yield* say(server.name, TerminalText.line(LeftOutServers.unusable(configuration, server)))
      }
    })
  return { lacks, onLeftOut }
}

/**
 * Opens the access to the sessions. Each session that is opened goes through a server that is there then, and otherwise,
 * such as a new one in a folder that no server holds, to the own engine.
 */
const open = Effect.fn("AcpEngine.open")(function* (input: Input) {
  const place = yield* Place.of(input.place)
  const around = yield* Effect.context<Effect.Effect.Context<ReturnType<typeof ownEngine>>>()
  const loaded = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  const model = input.model === null ? null : yield* ModelChoice.named("--model", input.model)
  const configuration = { ...loaded, standard: model ?? loaded.standard }
  const { providers, standard } = configuration
  const models = yield* Providers.models(providers, standard === null ? {} : { standard })
  const editors = Editors.make()
  const { lacks, onLeftOut } = makeLacks(configuration)
  const own = yield* Effect.cached(Effect.provide(ownEngine(place, configuration, editors, onLeftOut), around))
  const servers = yield* Effect.cached(Effect.provide(McpServers.open(configuration), around))
  const serverFor = (newWorkdir: string | null) =>
    input.model === null
      ? Effect.provide(LiveServer.findUntilGone(input.place, place, { newWorkdir, model: null }), around)
      : Effect.succeed(null)
  const log = yield* LeftOutServers.listener
  const { writeError } = yield* Screen
  return {
    access: ({ here, newIn }: OpenSessions.Wish) =>
      Effect.flatMap(here ? Effect.succeed(null) : serverFor(newIn), (server) =>
        server === null
          ? Effect.map(own, ({ gateway }) => ({ gateway, gone: Effect.never, lacks }))
          : Effect.succeed(server)
      ),
    editors,
    readServers: (given: ReadonlyArray<McpServer>, cwd: string) => {
      const { leftOut, servers } = ClientServers.read(given, cwd)
      const unusable = leftOut.map((name) => [name, TerminalText.line(McpTexts.unusableKind(name))] as const)
      return Effect.as(
        Effect.forEach(unusable, ([, text]) => writeError(`skein: ${text}\n`)),
        { servers, unusable }
      )
    },
    bring: (session: Session, named: typeof Servers.Encoded, say: Remarks.Say) =>
      Effect.gen(function* () {
        const { sessionTools } = yield* own
        const Mcp = yield* Effect.promise(() => import("../mcp/Mcp.js"))
        const brought = yield* Mcp.make(named, {
          onLeftOut: (left) => {
            const { subject, text } = LeftOutServers.remark(left)
            return Effect.zipRight(log(left), say(subject, TerminalText.line(text)))
          }
        })
        yield* sessionTools.add(session.id, brought.toolsFor(session.workdir))
        return promptsOf(brought, session)
      }),
    prompts: (session: Session) =>
      McpServers.hasAny(configuration) ? Effect.map(servers, (own) => promptsOf(own, session)) : Effect.succeed(null),
    commands: TerminalCommands.make(configuration.inherit),
    newSession: {
      ...Place.ofNewSession(place),
      ...(place._tag === "Database" ? { agent: AgentName.make(AgentChoice.names[0]) } : {})
    },
    contextTokens: (session: Session) =>
      Effect.match(models.resolve(session), {
        onFailure: () => null,
        onSuccess: ({ contextTokens }) => contextTokens
      })
  }
})

/** What answers an editor's requests; the first request that needs the engine opens it. */
export const ask = (input: Input, capabilities: () => ClientCapabilities) =>
  Effect.gen(function* () {
    const opening = open(input)
    const context = yield* Effect.context<Effect.Effect.Context<typeof opening>>()
    const engine = yield* Effect.cached(Effect.provide(opening, context))
    return yield* Requests.asking(Requests.make({ engine, capabilities }))
  })
