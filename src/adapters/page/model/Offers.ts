/** What the server offers to choose from, and what a session has chosen. Pure. */
import { withEffort } from "../../../domain/Effort.js"
import type { OfferedAgent, OfferedModel, ReasoningEffort, Session } from "./Wire.js"

/** `provider/model`, as it is typed. */
export const nameOf = ({ model, provider }: { readonly provider: string; readonly model: string }): string =>
  `${provider}/${model}`

/** What somebody wants for a session, as chosen or typed. An empty field leaves the choice to others. */
export interface Wanted {
  readonly agent: string
  /** `provider/model`. */
  readonly model: string
  readonly effort: ReasoningEffort | ""
}

export const nothing: Wanted = { agent: "", model: "", effort: "" }

/** The current choices of a session. */
export const wantedOf = ({ agent, model }: Pick<Session, "agent" | "model">): Wanted => ({
  agent: agent ?? "",
  model: model === null ? "" : nameOf(model),
  effort: model?.options?.reasoningEffort ?? ""
})

const modelNamed = (text: string) => {
  const slash = text.indexOf("/")
  return { provider: text.slice(0, Math.max(0, slash)), model: text.slice(slash + 1) }
}

/** For an effort without a model, it is the agent's usual model if that is known. */
const nameWanted = (agents: ReadonlyArray<OfferedAgent>, { agent, effort, model }: Wanted): string => {
  const usual = standardOf(agentNamed(agents, agent.trim()))
  if (model.trim() !== "" || effort === "" || usual === undefined) return model.trim()
  return nameOf(usual)
}

/** The model that is wanted for a session, with its options; null to leave it to the agent. */
export const modelWanted = (
  agents: ReadonlyArray<OfferedAgent>,
  wanted: Wanted,
  before: Session["model"] = null
): Session["model"] => {
  const name = nameWanted(agents, wanted)
  if (name === "") return null
  return withEffort({ ...modelNamed(name), options: before?.options }, wanted.effort === "" ? null : wanted.effort)
}

/** The agent with this name; for an empty name, the agent of sessions that name none. */
export const agentNamed = (agents: ReadonlyArray<OfferedAgent>, name: string): OfferedAgent | undefined =>
  agents.find((agent) => (name === "" ? agent.standard : agent.name === name))

/** The model that an agent uses when a session names none. */
export const standardOf = (agent: OfferedAgent | undefined): OfferedModel | undefined =>
  agent?.models.find(({ standard }) => standard)

/** The model of a session's next step, if it is known. */
export const nextModel = (
  agents: ReadonlyArray<OfferedAgent>,
  { agent, model }: Pick<Session, "agent" | "model">
): { readonly provider: string; readonly model: string } | undefined =>
  model ?? standardOf(agentNamed(agents, agent ?? ""))
