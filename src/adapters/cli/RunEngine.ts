/**
 * The engine that runs turns for the command line, with the user's providers. One agent has the workspace tools, reads at
 * once and asks for all else; the other only reads. The system prompt of both ends with the instructions of the session's
 * folder.
 */
import { Effect, Layer } from "effect"
import * as Agents from "../../services/Agents.js"
import * as Permissions from "../../services/Permissions.js"
import * as NodeExec from "../node/NodeExec.js"
import * as Providers from "../providers/Providers.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import * as AgentChoice from "./AgentChoice.js"
import type { Configuration } from "./Configuration.js"
import * as Engine from "./Engine.js"
import * as Instructions from "./Instructions.js"
import * as SystemPrompt from "./SystemPrompt.js"
import * as Texts from "./texts/Agents.js"

export interface Prompt {
  /** In place of the agents' own; null for none. */
  readonly system: string | null
  /** The instructions for a folder. */
  readonly instructions: (workdir: string) => Effect.Effect<Instructions.Instructions>
}

/** The same agents, told what the session's folder says. */
const withInstructions = ({ instructions, system }: Prompt) =>
  Layer.effect(
    Agents.Agents,
    Effect.map(Agents.Agents, ({ resolve }) => ({
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
      system: SystemPrompt.workspace,
      models,
      tools: WorkspaceTools.all,
      policy: Permissions.askToWrite
    }),
    Agents.make({
      name: readOnly,
      system: SystemPrompt.readOnly,
      models,
      tools: WorkspaceTools.readOnly,
      policy: Permissions.readOnly(Texts.onlyReads)
    })
  )
}

export const layer = (configuration: Configuration, data: string | null, prompt: Prompt) =>
  Engine.layer(data).pipe(
    Layer.provide(withInstructions(prompt)),
    Layer.provide(agents(configuration)),
    Layer.provide(NodeExec.layer({ inherit: configuration.inherit }))
  )
