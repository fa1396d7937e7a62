/**
 * The engine that runs turns for the command line: the user's providers, the workspace tools, reads allowed, all else
 * asked. Its agent's system prompt ends with the instructions of the session's folder.
 */
import { Effect, Layer } from "effect"
import * as Agents from "../../services/Agents.js"
import * as Permissions from "../../services/Permissions.js"
import * as NodeExec from "../node/NodeExec.js"
import * as Providers from "../providers/Providers.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import type { Configuration } from "./Configuration.js"
import * as Engine from "./Engine.js"
import * as Instructions from "./Instructions.js"

export interface Prompt {
  readonly system: string
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
          (agent, found) => ({ ...agent, system: Instructions.withPrompt(system, found) })
        )
    }))
  )

export const layer = ({ inherit, providers, standard }: Configuration, data: string | null, prompt: Prompt) =>
  Engine.layer(data).pipe(
    Layer.provide(withInstructions(prompt)),
    Layer.provide(
      Agents.layer({
        name: "workspace",
        models: Providers.models(providers, standard === null ? {} : { standard }),
        tools: WorkspaceTools.all,
        policy: Permissions.askToWrite
      })
    ),
    Layer.provide(NodeExec.layer({ inherit }))
  )
