/** What the server offers to choose from, and which of it a session has. Pure. */
import type { OfferedAgent, OfferedModel, Session } from "./Wire.js"

/** `provider/model`, as it is typed. */
export const nameOf = ({ model, provider }: { readonly provider: string; readonly model: string }): string =>
  `${provider}/${model}`

/** The name of a session's own model; empty when it names none. */
export const modelOf = ({ model }: Pick<Session, "model">): string => (model === null ? "" : nameOf(model))

/** The model of a name; null for an empty one, which leaves the choice to the agent. */
export const modelNamed = (text: string): Session["model"] => {
  const slash = text.indexOf("/")
  return text === "" ? null : { provider: text.slice(0, Math.max(0, slash)), model: text.slice(slash + 1) }
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
