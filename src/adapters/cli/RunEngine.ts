/** The engine that runs turns for the command line: the user's providers, the workspace tools, reads allowed, all else asked. */
import { Layer } from "effect"
import * as Agents from "../../services/Agents.js"
import * as Permissions from "../../services/Permissions.js"
import * as NodeExec from "../node/NodeExec.js"
import * as Providers from "../providers/Providers.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import type { Configuration } from "./Configuration.js"
import * as Engine from "./Engine.js"

const system =
  "You work in a folder of the user's computer, through tools. Look before you answer: read the files that matter " +
  "instead of guessing. Ask for tools that do not depend on each other in one go; they run at the same time. Change " +
  "only what was asked for, and say in the end, in a few sentences, what you found or did."

export const layer = ({ inherit, providers, standard }: Configuration, data: string | null) =>
  Engine.layer(data).pipe(
    Layer.provide(
      Agents.layer({
        name: "workspace",
        system,
        models: Providers.models(providers, standard === null ? {} : { standard }),
        tools: WorkspaceTools.all,
        policy: Permissions.askToWrite
      })
    ),
    Layer.provide(NodeExec.layer({ inherit }))
  )
