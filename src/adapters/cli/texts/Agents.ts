/** Texts about the command's agents. Names are made harmless by the caller. */

export const oneOf = (names: ReadonlyArray<string>): string => `must be ${names.join(" or ")}`

export const foreign = (sessionId: string, agent: string, names: ReadonlyArray<string>): string =>
  `session ${sessionId} has the agent ${agent}, which belongs to another program; give it one of ${names.join(", ")} with --agent NAME`

/** What a model that wants to do more is told. */
export const onlyReads = "This agent only reads. Say what you would do instead."

export const of = (agent: string): string => `agent ${agent}`

/** What each agent does, for editors that offer them. */
export const about = {
  workspace: "Asks before it changes anything",
  "read-only": "Changes nothing"
} as const
