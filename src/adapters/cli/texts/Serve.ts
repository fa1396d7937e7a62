/** Texts about a server. Paths and addresses are made harmless by the caller. */

/** At least one place is not null. */
export const listening = (...places: ReadonlyArray<string | null>): string =>
  `listening at ${places.filter((place) => place !== null).join(" and ")}`

export const opens = (host: string): string =>
  `whoever reaches ${host} and has a token can run commands here; nothing is encrypted on the way`

export const stopping = (seconds: number): string =>
  `stopping: runs have ${seconds} s to end; a second signal ends at once`

export const portForm = "must be a whole number from 0 to 65535"

export const nowhere = "--port none is for --socket: it would listen nowhere"

export const needsPort = (option: string): string => `${option} needs a port, and --port none leaves none`

export const drainForm = "must be a whole number of seconds from 0 to 86400"

export const namesForm = "must be names of hosts, such as skein.example.org, with commas between them"

export const originsForm = "must be origins, such as https://app.example.org, with commas between them"

export const baseForm = "must be a path such as /skein, without a slash at its end"

export const addressForm = "must be HOST:PORT"

export const needsKnowledge = (host: string): string =>
  `--host ${host} lets other hosts in, and whoever has a token runs commands here; add --i-know if that is meant`

export const needlessKnowledge = "--i-know is for --host"

export const addressNeedsDatabase = "--address is for --database"

export const signIn = (url: string): string => `no browser was found; sign in within a minute at ${url}`

export const serverGone =
  "the server is gone; the run goes on when it is back, or by skein run --session ID --resume (Ctrl-C ends this wait)"

/** A failed request of a command that goes through the server. */
export const serverLost = (reason: "unreachable" | "refused" | "malformed", detail: string): string =>
  reason === "unreachable"
    ? "the server that has these sessions does not answer any more; start it again, or try again without it"
    : `the server that has these sessions gave ${reason === "refused" ? "a refusal" : "no answer of its own"}: ${detail}`

export const watchedSession = "must be a session or a run, by its id"

export const nothingRuns = "nothing runs; waiting for the next run (Ctrl-C ends this wait)"

export const leftBehind = "the run was left behind; it waits for skein run --resume, or another engine"

export const asks = (tool: string): string => `${tool} waits for permission`
