/** What the server offers to choose from, and which of it a session has. Pure. */
import { withEffort } from "../../../domain/Effort.js"
import type { OfferedAgent, OfferedModel, ReasoningEffort, Session } from "./Wire.js"

/** `provider/model`, as it is typed. */
export const nameOf = ({ model, provider }: { readonly provider: string; readonly model: string }): string =>
  `${provider}/${model}`

/** What somebody wants of a session, as it is chosen or typed. What is empty is left to others. */
export interface Wanted {
  readonly agent: string
  /** `provider/model`. */
  readonly model: string
  readonly effort: ReasoningEffort | ""
}

export const nothing: Wanted = { agent: "", model: "", effort: "" }

/** What a session is set to. */
export const wantedOf = ({ agent, model }: Pick<Session, "agent" | "model">): Wanted => ({
  agent: agent ?? "",
  model: model === null ? "" : nameOf(model),
  effort: model?.options?.reasoningEffort ?? ""
})

const modelNamed = (text: string) => {
  const slash = text.indexOf("/")
  return { provider: text.slice(0, Math.max(0, slash)), model: text.slice(slash + 1) }
}

/** Of an effort alone it is the agent's usual model, as far as that is known. */
const nameWanted = (agents: ReadonlyArray<OfferedAgent>, { agent, effort, model }: Wanted): string => {
  const usual = standardOf(agentNamed(agents, agent.trim()))
  if (model.trim() !== "" || effort === "" || usual === undefined) return model.trim()
  return nameOf(usual)
}

/** The model that is wanted of a session, how it is asked included; null to leave it to the agent. */
export const modelWanted = (
  agents: ReadonlyArray<OfferedAgent>,
  wanted: Wanted,
  before: Session["model"] = null
): Session["model"] => {
  const name = nameWanted(agents, wanted)
  if (name === "") return null
  return withEffort({ ...modelNamed(name), options: before?.options }, wanted.effort === "" ? null : wanted.effort)
}

/** The agent of sessions that name this one, or none. */
export const agentNamed = (agents: ReadonlyArray<OfferedAgent>, name: string): OfferedAgent | undefined =>
  agents.find((agent) => (name === "" ? agent.standard : agent.name === name))

/** The model that an agent takes where a session names none. */
export const standardOf = (agent: OfferedAgent | undefined): OfferedModel | undefined =>
  agent?.models.find(({ standard }) => standard)

/** The model that a session's next step is made with, as far as that is known. */
export const nextModel = (
  agents: ReadonlyArray<OfferedAgent>,
  { agent, model }: Pick<Session, "agent" | "model">
): { readonly provider: string; readonly model: string } | undefined =>
  model ?? standardOf(agentNamed(agents, agent ?? ""))
