/** What `skein demo` says. Its model is a script, so its answers are here too. */

export const title = "skein demo"

export const question = "What is in this folder?"

export const opening = (calls: number): string =>
  `I will call ${calls} tools at the same time, the slowest first. Each is shown as soon as it is done:`

export const answer = "I am only a script and cannot read what they found. You can, with the command below."

export const readOnly = "the demonstration changes nothing"

export const columns = { finished: "finished", stored: "stored" }

export const sameOrder = "This time the calls finished in the order in which they were asked for."

export const otherOrder =
  "Shown as they finish, stored in the order in which they were asked for: results never change places."

export const stored = (sessionId: string, command: string): string => `Stored as session ${sessionId}: ${command}`
