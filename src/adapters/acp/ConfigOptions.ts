/**
 * What an editor's user chooses for a session, as options of the protocol: agent, model, how much the model should
 * think, and whether to ask about calls. Pure.
 */
import type { SessionConfigOption, SessionConfigSelectOption, SessionModeState } from "@agentclientprotocol/sdk"
import { Either, Schema } from "effect"
import { AgentName } from "../../domain/AgentName.js"
import { efforts, withEffort } from "../../domain/Effort.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { OfferedAgent } from "../../domain/Offer.js"
import type { Session } from "../../domain/Session.js"
import type { Patch } from "../../services/gateway/Gateway.js"

type Offered = ReadonlyArray<OfferedAgent>

/** The agent of the session; undefined when it is not offered. */
const agentOf = (offered: Offered, { agent }: Session): OfferedAgent | undefined =>
  offered.find(({ name, standard }) => (agent === null ? standard : name === agent))

const agentName = (offered: Offered, session: Session): string => session.agent ?? agentOf(offered, session)?.name ?? ""

const listed = (offered: Offered, session: Session): ReadonlyArray<ModelRef.ModelRef> =>
  (agentOf(offered, session)?.models ?? []).map(({ model, provider }) => ({ provider, model }))

/** The model of the session; null when it is unknown. */
const modelOf = (offered: Offered, session: Session): ModelRef.ModelRef | null => {
  if (session.model !== null) return session.model
  const standard = agentOf(offered, session)?.models.find(({ standard }) => standard)
  return standard === undefined ? null : { provider: standard.provider, model: standard.model }
}

const modelNames = (offered: Offered, session: Session): ReadonlyArray<string> => {
  const own = modelOf(offered, session)
  return [...new Set([...(own === null ? [] : [own]), ...listed(offered, session)].map(ModelRef.toText))]
}

/** The value that leaves the effort to the provider. */
const noEffort = "default"

/** Whether the calls of the editor's own prompts are asked about, or all allowed. */
export type Permission = "ask" | "allow"

const permissions: ReadonlyArray<SessionConfigSelectOption> = [
  { value: "ask", name: "Ask", description: "Asks before calls that change something" },
  { value: "allow", name: "Allow", description: "Allows every call from this editor's prompts without asking" }
]

const choices = (values: ReadonlyArray<string>) => values.map((value) => ({ value, name: value }))

/** The agents as modes, for editors that know no options. */
export const modes = (offered: Offered, session: Session): SessionModeState => ({
  currentModeId: agentName(offered, session),
  availableModes: offered.map(({ about, name }) => ({ id: name, name, description: about }))
})

export const of = (offered: Offered, session: Session, permission: Permission): Array<SessionConfigOption> => {
  const model = modelOf(offered, session)
  const ofModel: Array<SessionConfigOption> =
    model === null
      ? []
      : [
          {
            type: "select",
            id: "model",
            name: "Model",
            category: "model",
            currentValue: ModelRef.toText(model),
            options: choices(modelNames(offered, session))
          },
          {
            type: "select",
            id: "effort",
            name: "Effort",
            description: "How much the model should think",
            category: "thought_level",
            currentValue: model.options?.reasoningEffort ?? noEffort,
            options: choices([noEffort, ...efforts])
          }
        ]
  return [
    {
      type: "select",
      id: "agent",
      name: "Agent",
      category: "mode",
      currentValue: agentName(offered, session),
      options: offered.map(({ about, name }) => ({ value: name, name, description: about }))
    },
    ...ofModel,
    {
      type: "select",
      id: "permission",
      name: "Permission",
      description: "Stored rules apply either way",
      currentValue: permission,
      options: [...permissions]
    }
  ]
}

/** What a choice changes: the session, or only whether this editor is asked. Left of `change` names what is wrong. */
export type Change = { readonly session: Omit<Patch, "sessionId"> } | { readonly permission: Permission }

const isEffort = Schema.is(ModelRef.ReasoningEffort)

const chosenModel = (offered: Offered, session: Session, value: string) => {
  const ref = modelNames(offered, session).includes(value) ? ModelRef.fromText(value) : null
  const options = session.model?.options
  return ref === null ? null : options === undefined ? ref : { ...ref, options }
}

export const change = (
  offered: Offered,
  session: Session,
  configId: string,
  value: unknown
): Either.Either<Change, "configId" | "value"> => {
  switch (configId) {
    case "agent": {
      const agent = offered.find(({ name }) => name === value)?.name
      return agent === undefined ? Either.left("value") : Either.right({ session: { agent: AgentName.make(agent) } })
    }
    case "model": {
      const model = typeof value === "string" ? chosenModel(offered, session, value) : null
      return model === null ? Either.left("value") : Either.right({ session: { model } })
    }
    case "effort": {
      const model = modelOf(offered, session)
      if (model === null) return Either.left("configId")
      if (value !== noEffort && !isEffort(value)) return Either.left("value")
      return Either.right({ session: { model: withEffort(model, isEffort(value) ? value : null) } })
    }
    case "permission":
      return value === "ask" || value === "allow" ? Either.right({ permission: value }) : Either.left("value")
    default:
      return Either.left("configId")
  }
}
