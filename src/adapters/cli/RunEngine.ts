/**
 * The engine that runs turns for the command line, with the user's providers. One agent has the workspace tools: it
 * reads without asking and asks for everything else, unless the user's stored rules decide. The other only reads. The
 * system prompt of both ends with the instructions of the session's folder. MCP servers of the configuration, and
 * clients, add tools to the first.
 */
import { Effect, Layer } from "effect"
import type { Session } from "../../domain/Session.js"
import { AgentUnavailable, type DuplicateTool, type InvalidInput } from "../../domain/SkeinError.js"
import * as Agents from "../../services/Agents.js"
import * as Permissions from "../../services/Permissions.js"
import * as Plan from "../../services/Plan.js"
import * as SessionTools from "../../services/SessionTools.js"
import * as NodeExec from "../node/NodeExec.js"
import * as Providers from "../providers/Providers.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import * as AgentChoice from "./AgentChoice.js"
import type { Configuration } from "./Configuration.js"
import * as Engine from "./Engine.js"
import * as Instructions from "./Instructions.js"
import * as LeftOutServers from "./LeftOutServers.js"
import * as McpServers from "./McpServers.js"
import type { Place } from "./Place.js"
import * as Rules from "./Rules.js"
import * as SystemPrompt from "./SystemPrompt.js"
import * as Texts from "./texts/Agents.js"

export interface Prompt {
  /** Replaces the agents' own; null keeps those. */
  readonly system: string | null
  /** The instructions for a folder. */
  readonly instructions: (workdir: string) => Effect.Effect<Instructions.Instructions>
}

/** The same agents, with the instructions of the session's folder. */
const withInstructions = ({ instructions, system }: Prompt) =>
  Layer.effect(
    Agents.Agents,
    Effect.map(Agents.Agents, ({ offered, resolve }) => ({
      offered,
      resolve: (session, run) =>
        Effect.zipWith(
          resolve(session, run),
          session.workdir === null ? Effect.succeed([]) : instructions(session.workdir),
          (agent, found) => ({ ...agent, system: Instructions.withPrompt(system ?? agent.system ?? "", found) })
        )
    }))
  )

const [workspace, readOnly] = AgentChoice.names

/** The agents, the one for sessions that name none first. */
const agents = ({ providers, standard }: Configuration) => {
  const models = Providers.models(providers, standard === null ? {} : { standard })
  return Agents.layerAll(
    Agents.make({
      name: workspace,
      about: Texts.about[workspace],
      system: SystemPrompt.workspace,
      models,
      tools: [...WorkspaceTools.all, Plan.tool],
      policy: Permissions.byRules(Permissions.askToWrite)
    }),
    Agents.make({
      name: readOnly,
      about: Texts.about[readOnly],
      system: SystemPrompt.readOnly,
      models,
      tools: [...WorkspaceTools.readOnly, Plan.tool],
      policy: Permissions.readOnly(Texts.onlyReads)
    })
  )
}

const unavailable = ({ name }: Agents.Agent, { message }: DuplicateTool | InvalidInput) =>
  new AgentUnavailable({ agent: name, detail: message })

/** The same agents; the first one gets more tools at each step. */
const withTools = (
  add: (agent: Agents.Agent, session: Session) => Effect.Effect<Agents.Agent, DuplicateTool | InvalidInput>
) =>
  Effect.map(Agents.Agents, ({ offered, resolve }) =>
    Agents.Agents.of({
      offered,
      resolve: (session, run) =>
        Effect.flatMap(resolve(session, run), (agent) =>
          agent.name === workspace
            ? Effect.mapError(add(agent, session), (error) => unavailable(agent, error))
            : Effect.succeed(agent)
        )
    })
  )

/** Adds the tools of the user's MCP servers. Changes meanwhile count, and a late server joins at the next step. */
const withServers = ({ mcpServers }: Configuration, onLeftOut: LeftOutServers.OnLeftOut) =>
  Layer.unwrapEffect(
    Effect.zipWith(
      Effect.promise(() => import("../mcp/Mcp.js")),
      McpServers.logins,
      (Mcp, logins) =>
        Layer.effect(
          Agents.Agents,
          Effect.flatMap(Mcp.Mcp, ({ toolsFor }) =>
            withTools((agent, { workdir }) =>
              Effect.flatMap(toolsFor(workdir), (tools) => Agents.withTools(agent, ...tools))
            )
          )
        ).pipe(Layer.provide(Mcp.layer(mcpServers, { logins, onLeftOut })))
    )
  )

/** Adds the tools that a client has given the session. */
const withSessionTools = Layer.effect(
  Agents.Agents,
  Effect.flatMap(SessionTools.SessionTools, ({ withTools: add }) => withTools(add))
)

type EngineLayer = ReturnType<typeof Engine.layer>

/** Gives an engine the agents. */
const withAgents = (
  engine: EngineLayer,
  configuration: Configuration,
  prompt: Prompt,
  onLeftOut: LeftOutServers.OnLeftOut = () => Effect.void
) =>
  engine.pipe(
    Layer.provide(withInstructions(prompt)),
    Layer.provide(withSessionTools),
    Layer.provide(
      McpServers.hasAny(configuration)
        ? Layer.provide(withServers(configuration, onLeftOut), agents(configuration))
        : agents(configuration)
    ),
    Layer.provideMerge(SessionTools.layer),
    Layer.provide(Rules.layer),
    Layer.provide(NodeExec.layer({ inherit: configuration.inherit }))
  )

/** An engine for a short while. What it goes without is said on the screen, and told to `onLeftOut`. */
export const layer = (
  configuration: Configuration,
  place: Place,
  prompt: Prompt,
  options: Engine.ShortLived = {},
  onLeftOut: LeftOutServers.OnLeftOut = () => Effect.void
) =>
  Layer.unwrapEffect(
    Effect.zipWith(LeftOutServers.listener, LeftOutServers.say(configuration), (say) =>
      withAgents(Engine.layer(place, options), configuration, prompt, (left) =>
        Effect.zipRight(say(left), onLeftOut(left))
      )
    )
  )

/** The same, for a server. */
export const layerLongLived = (configuration: Configuration, place: Place, prompt: Prompt, options: Engine.LongLived) =>
  Layer.unwrapEffect(
    Effect.as(
      LeftOutServers.say(configuration),
      withAgents(Engine.layerLongLived(place, options), configuration, prompt)
    )
  )
