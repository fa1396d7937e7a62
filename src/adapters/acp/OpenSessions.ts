/**
 * The sessions that an editor has open. Until it is closed, each is watched, and steered by the editor as far as it
 * offers files and terminals. One whose gateway is gone is no longer open; the next request for it finds another way.
 */
import type {
  AgentContext,
  ClientCapabilities,
  McpServer,
  SessionConfigOption,
  SessionModeState
} from "@agentclientprotocol/sdk"
import { Effect, Exit, ExecutionStrategy, FiberSet, Predicate, Scope } from "effect"
import type { Session, SessionId } from "../../domain/Session.js"
import type { Create, Service } from "../../services/gateway/Gateway.js"
import type { Command, Content } from "../mcp/Mcp.js"
import type { Servers } from "../mcp/Settings.js"
import type { TerminalCommands } from "../node/TerminalCommands.js"
import type { Registry } from "../tools/Editors.js"
import * as ClientEditor from "./ClientEditor.js"
import * as ConfigOptions from "./ConfigOptions.js"
import * as PromptedRuns from "./PromptedRuns.js"
import * as Refusals from "./Refusals.js"
import * as Remarks from "./Remarks.js"
import * as Watch from "./Watch.js"

/** What a gateway is needed for. */
export interface Wish {
  /** The folder of a new session; null for a gateway to all sessions. */
  readonly newIn: string | null
  /**
   * Whether tools must run in this process, because they use the editor's files and terminals or are from its servers.
   */
  readonly here: boolean
}

/** A way to sessions. */
interface Access {
  readonly gateway: Service
  /** Returns when the gateway is gone for good, such as with its server. */
  readonly gone: Effect.Effect<void>
  /** Says of the servers that the user has for all sessions which of them a session goes without, until the scope ends. */
  readonly lacks?: (session: Session, say: Remarks.Say) => Effect.Effect<void, never, Scope.Scope>
}

/** Servers that an editor names, as settings, and what is to be said about the others by their names. */
interface Named {
  readonly servers: typeof Servers.Encoded
  readonly unusable: ReadonlyArray<readonly [name: string, text: string]>
}

/** What gives access to the sessions. */
export interface Engine<E> {
  /** The access for a wish, as it can be had now. */
  readonly access: (wish: Wish) => Effect.Effect<Access, E>
  /** What each session is created with besides its folder. */
  readonly newSession: Partial<Create>
  /** Tokens that the context of a session's model holds; null when that is unknown. */
  readonly contextTokens: (session: Session) => Effect.Effect<number | null>
  /** Where tools of an engine in this process find the editors of sessions. */
  readonly editors: Registry
  /** Reads the servers that an editor names. */
  readonly readServers: (given: ReadonlyArray<McpServer>, cwd: string) => Effect.Effect<Named>
  /**
   * Gives a session of an engine in this process the tools of servers that its editor names, until the scope ends, and says
   * which of them cannot be used.
   */
  readonly bring: (
    session: Session,
    servers: typeof Servers.Encoded,
    say: Remarks.Say
  ) => Effect.Effect<Prompts, E, Scope.Scope>
  /** Prompts of the servers that the user has for all sessions; null when there are none. */
  readonly prompts: (session: Session) => Effect.Effect<Prompts | null, E>
  /** How commands run in an editor's terminals. */
  readonly commands: TerminalCommands
}

/** Prompts of some servers, for one session. */
export interface Prompts {
  /** Whether a command's name begins like the prompts of one of these servers. */
  readonly isOne: (name: string) => boolean
  readonly commands: Effect.Effect<ReadonlyArray<Command>>
  /** The content that a command stands for, with what was typed after it. */
  readonly expand: (name: string, typed: string) => Effect.Effect<Content, unknown>
}

export interface OpenSession {
  /** Prompts of the servers that the editor named come first. */
  readonly prompts: ReadonlyArray<Prompts>
  readonly gateway: Service
  readonly watch: Watch.Watch
  /** The runs of the editor's prompts. */
  readonly runs: PromptedRuns.PromptedRuns
  readonly scope: Scope.CloseableScope
  readonly remarks: Remarks.Remarks
  /** Commands of the editor's prompts whose content a server is asked for; nothing is sent yet. */
  readonly expanding: FiberSet.FiberSet<Content, unknown>
  /** Whether calls of the editor's prompts are asked about. */
  permission: ConfigOptions.Permission
}

/** What an editor is told about a session that it opens. */
interface Choices {
  readonly modes: SessionModeState
  readonly configOptions: Array<SessionConfigOption>
}

interface Opening {
  readonly access: Access
  readonly sessionId: SessionId
  readonly client: AgentContext
  readonly named: Named
  readonly withHistory: boolean
}

/** For an editor that names no servers. */
const none: Named = { servers: {}, unusable: [] }

const hasServers = (servers: typeof Servers.Encoded): boolean => Object.keys(servers).length > 0

export const make = <E, E2>(engine: Effect.Effect<Engine<E>, E2>, capabilities: () => ClientCapabilities) =>
  Effect.gen(function* () {
    const outer = yield* Effect.scope
    const opened = new Map<SessionId, OpenSession>()
    const promptedRuns = new Map<SessionId, PromptedRuns.PromptedRuns>()

    // An editor whose agent ends, because a newer version has taken over, has its answers first.
    yield* Effect.addFinalizer(() =>
      Effect.forEach(promptedRuns.values(), (runs) => runs.lose(Refusals.unseen), { discard: true })
    )

    const accessFor = (wish: Wish) => Effect.flatMap(engine, ({ access }) => access(wish))

    const runsOf = (sessionId: SessionId) => {
      const runs = promptedRuns.get(sessionId) ?? PromptedRuns.make()
      promptedRuns.set(sessionId, runs)
      return runs
    }

    /** Closes a session, if it is still open in this way. `end` tells its prompts. */
    const leave = (open: OpenSession, sessionId: SessionId, end: Effect.Effect<void>) =>
      Effect.suspend(() => {
        if (opened.get(sessionId) !== open) return Effect.void
        opened.delete(sessionId)
        promptedRuns.delete(sessionId)
        return Effect.zipRight(Scope.close(open.scope, Exit.void), end)
      })

    const close = (sessionId: SessionId) =>
      Effect.suspend(() => {
        const open = opened.get(sessionId)
        return open === undefined ? Effect.void : leave(open, sessionId, open.runs.close)
      })

    const choices = (sessionId: SessionId, gateway: Service) =>
      Effect.gen(function* () {
        const session = yield* gateway.session(sessionId)
        const offered = yield* gateway.agents()
        const permission = opened.get(sessionId)?.permission ?? "ask"
        return {
          modes: ConfigOptions.modes(offered, session),
          configOptions: ConfigOptions.of(offered, session, permission)
        } satisfies Choices
      })

    const open = ({ access, client, named: { servers, unusable }, sessionId, withHistory }: Opening) =>
      Effect.gen(function* () {
        // What happens meanwhile is told once: by the new watch, or by this one if there will be none.
        const before = opened.get(sessionId)
        if (before !== undefined) yield* before.watch.pause
        const goOn = Effect.suspend(() => {
          if (before !== undefined) return before.watch.resume
          return opened.has(sessionId) ? Effect.void : Effect.sync(() => promptedRuns.delete(sessionId))
        })
        const { gateway, gone, lacks } = access
        const runs = runsOf(sessionId)
        const { bring, commands, contextTokens, editors, prompts: promptsOf } = yield* engine
        const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
        const opening = Effect.gen(function* () {
          const watch = yield* Watch.open({
            gateway,
            client,
            sessionId,
            runs,
            withHistory,
            configOptions: Effect.map(choices(sessionId, gateway), ({ configOptions }) => configOptions),
            contextTokens: Effect.flatMap(gateway.session(sessionId), contextTokens),
            elicitation: () => capabilities().elicitation,
            allowsAll: () => opened.get(sessionId)?.permission === "allow"
          })
          if (ClientEditor.isOffered(capabilities())) {
            const onTerminal = watch.showTerminal
            yield* editors.add(
              sessionId,
              ClientEditor.make({ client, capabilities: capabilities(), sessionId, commands, onTerminal })
            )
          }
          const session = yield* gateway.session(sessionId)
          const remarks = Remarks.make(watch.tellRemark)
          yield* Effect.forEach(unusable, ([name, text]) => remarks.say(name, text), { discard: true })
          if (lacks !== undefined) yield* lacks(session, remarks.say)
          const brought = hasServers(servers) ? yield* bring(session, servers, remarks.say) : null
          const prompts = [brought, yield* promptsOf(session)].filter(Predicate.isNotNull)
          return { watch, prompts, remarks, expanding: yield* FiberSet.make<Content, unknown>() }
        })
        const { expanding, prompts, remarks, watch } = yield* Scope.extend(opening, scope).pipe(
          Effect.onError(() => Effect.zipRight(Scope.close(scope, Exit.void), goOn))
        )
        const one: OpenSession = { gateway, watch, runs, prompts, scope, remarks, expanding, permission: "ask" }
        const replaced = opened.get(sessionId)
        opened.set(sessionId, one)
        if (replaced !== undefined) yield* Scope.close(replaced.scope, Exit.void)
        const lost = Effect.raceFirst(Effect.as(gone, Refusals.gone), Effect.as(watch.over, Refusals.unseen))
        const onLost = Effect.flatMap(lost, (error) => Effect.forkIn(leave(one, sessionId, runs.lose(error)), outer))
        yield* Effect.forkIn(onLost, scope)
        return one
      })

    /** The gateway to all sessions. */
    const anyGateway = Effect.map(accessFor({ newIn: null, here: false }), ({ gateway }) => gateway)

    /** The access to a session that this editor steers. */
    const steered = (newIn: string | null, servers: typeof Servers.Encoded) =>
      Effect.suspend(() => accessFor({ newIn, here: ClientEditor.isOffered(capabilities()) || hasServers(servers) }))

    return {
      get: (sessionId: SessionId) => opened.get(sessionId),
      /**
       * Opens a session, again if it is already open: as it was until then, if that fails. With the history, all of it is
       * sent before this returns.
       */
      open,
      close,
      choices,
      anyGateway,
      steered,
      /** The gateway of an open session, otherwise the one to all sessions. */
      gatewayOf: (sessionId: SessionId) =>
        Effect.suspend(() => {
          const known = opened.get(sessionId)
          return known === undefined ? anyGateway : Effect.succeed(known.gateway)
        }),
      /** The open session. One that the editor names but did not open is opened without its history. */
      openOf: (sessionId: SessionId, client: AgentContext) =>
        Effect.suspend(() => {
          const known = opened.get(sessionId)
          return known === undefined
            ? Effect.flatMap(steered(null, {}), (access) =>
                open({ access, sessionId, client, named: none, withHistory: false })
              )
            : Effect.succeed(known)
        })
    }
  })
