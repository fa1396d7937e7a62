/** Names an agent. The host's `Agents` service decides which agent that is. Pure. */
import { Schema } from "effect"

export const AgentName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9._-]{1,64}$/, { description: "an agent's name: 1 to 64 of A-Z a-z 0-9 . _ -" })
)
export type AgentName = typeof AgentName.Type
