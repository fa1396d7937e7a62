/** What the commands about permission rules say. */

export const none = "No rules are stored. skein rules add --help shows how to store one."

export const words = "must be allow, ask or deny"

export const pattern =
  "must be a tool, such as server__*, or a tool and what it works on, such as shell: git status*, on one line of at most 1000 characters and 32 stars"

export const inFolder = (folder: string): string => `in ${folder}`

export const inSession = (session: string): string => `in session ${session}`

export const added = "Stored:"

export const known = "Already stored:"

export const removed = "Removed:"

export const notFound = (pattern: string): string => `no rule has the pattern ${pattern}; see skein rules list`

export const by = (word: string, rule: string): string => `${word}, by the rule ${rule}`

export const notUnderstood = "ask, because there are rules about such commands and this one cannot be understood"

export const undecided = "no rule matches: the agent decides, and it asks before it changes anything"
