/** What the commands for sessions print. Names and titles are made harmless by the caller. */
import { counted } from "../../../domain/Amounts.js"

export const none = "No sessions."

export const headings = {
  id: "ID",
  title: "TITLE",
  state: "STATE",
  messages: "MESSAGES",
  cost: "COST",
  at: "LAST ACTIVITY",
  agent: "AGENT",
  folder: "FOLDER"
}

export const notListed = (count: number): string => `… and ${count} more, see --limit`

export const renamed = (sessionId: string, title: string): string => `Renamed ${sessionId} to "${title}"`

export const switched = (sessionId: string, model: string): string => `Switched ${sessionId} to ${model}`

export const switchedAgent = (sessionId: string, agent: string): string => `Switched ${sessionId} to agent ${agent}`

export const moved = (sessionId: string, folder: string): string => `Moved ${sessionId} to ${folder}`

export const folderGone = (sessionId: string, folder: string): string =>
  `the folder of ${sessionId} is gone: ${folder}; choose another with skein sessions move ${sessionId} DIR`

export const deleted = (sessionId: string): string => `Deleted ${sessionId}`

export const deletionGoesOn = "the session is gone; the rest of its data is removed the next time Skein runs"

export const notDeleted = "Nothing was deleted."

export const confirmDeletion = (title: string, messages: number): string =>
  `Delete "${title}" with ${messages === 1 ? "its message" : `its ${messages} messages`} and all its files? (y/N) `

export const deletionUnconfirmed = "cannot ask without a terminal; confirm the deletion with --yes"

/** The parts of a transcript that are not its messages. */
export const messageCount = (count: number): string => counted(count, "message")

/** The tokens of a session, as its steps report them, and their cost by the stated prices. */
export const usage = (input: string, output: string, cost: string): string =>
  `${input} tokens in, ${output} out${cost === "" ? "" : ` for ${cost}`}`

export const created = (moment: string): string => `created ${moment}`

export const user = "you"

export const brokenOff = "(the answer was cut off here)"

export const emptyAnswer = "(the answer is empty)"

export const moreLines = (count: number): string => `… ${counted(count, "more line")}`

export const file = (assetId: string, name = ""): string => `[file ${assetId}${name === "" ? "" : ` ${name}`}]`

/** What another version of Skein wrote: a message by its role, or a part by its type. */
export const unknown = (what: string): string => `[${what}, unknown to this version of Skein]`

export const awaitsPermission = "waiting for permission"

export const crashed = (sessionId: string): string =>
  `The last run crashed. To continue it: skein run --session ${sessionId} --resume`

export const running = (runId: string): string => `Run ${runId} is in progress.`

export const ambiguousId = (id: string, named: ReadonlyArray<string>, hasMore: boolean): string =>
  `${id} matches several session ids: ${named.join(", ")}${hasMore ? " and others" : ""}`

export const noneIn = (folder: string): string => `no session in ${folder}`

export const readingCopy = "nothing can be written next to the database; reading a copy of it"

/** `where` are the processes that have it open, or "" when that is not known. */
export const readingOlder = (where: string): string =>
  `the database is of an older version, and open in ${where === "" ? "another process" : where}; reading a copy of it`

export const deleting = "Deleting"
