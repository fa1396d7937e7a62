/** What `skein run` prints beside the run itself. */

export const session = (sessionId: string): string => `session ${sessionId}`

export const resumingFirst = "resuming the interrupted run first"

export const missingMessage = 'missing message: skein run "MESSAGE", or skein run --session ID --resume'

export const emptyMessage = "the message is empty"

export const resumeNeedsSession = "--resume needs --session ID"

export const resumeTakesNoMessage = "--resume takes no message"

export const workdirOfOldSession = "--workdir is for new sessions; it cannot be used with --session"

export const existingFolder = "an existing folder"
