/** What `skein run` prints besides the run itself. */

export const session = (sessionId: string): string => `session ${sessionId}`

export const resumingFirst = "resuming the interrupted run first"

export const nothingOpen = "nothing to resume in this session; showing its newest run again:"

export const readingStdin = "reading the message from stdin; end it with Ctrl-D, or start with < /dev/null"

/** A message, and the text on stdin after it. */
export const withStdin = (message: string, text: string): string =>
  `${message}\n\n<stdin>\n${text.replace(/\n$/, "")}\n</stdin>`

export const oneSession = "--session and --last cannot be used together"

export const queueNeedsSession = "--queue needs --session ID or --last"

export const queueNeedsMessage = "--queue needs a message"

export const quietJson = "--quiet and --json cannot be used together"

export const queued = (runId: string): string => `the session is busy; waiting for run ${runId} to end`

export const released = (runId: string): string =>
  `run ${runId} was left behind; it waits for skein run --resume or for another engine`

/** After what storage failed with, for a run whose end waits for it. */
export const triedAgain =
  "it is tried again until it works; if this process is ended, skein run --resume goes on with the run"

/** What a limit on a message means. */
export const asJson = (limit: string): string =>
  `${limit} as JSON, in which a quote, a backslash or a line break is two`

export const missingMessage = 'missing message: skein run "MESSAGE", or skein run --session ID --resume'

export const emptyMessage = "the message is empty"

export const resumeNeedsSession = "--resume needs --session ID or --last"

export const attachForm = "--attach takes mcp:SERVER:URI; see skein mcp test SERVER"

export const attachNeedsMessage = "--attach needs a message"

export const resumeTakesNoMessage = "--resume takes no message"

export const workdirOfOldSession = "--workdir is for new sessions; it cannot be used with --session"

export const existingFolder = "must be an existing folder"
