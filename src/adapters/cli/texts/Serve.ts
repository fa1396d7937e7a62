/** Texts about a server. Paths and addresses are made harmless by the caller. */

/** At least one place is not null. */
export const listening = (...places: ReadonlyArray<string | null>): string =>
  `listening on ${places.filter((place) => place !== null).join(" and ")}`

export const opens = (host: string): string =>
  `anyone who can reach ${host} and has a token can run commands here; traffic is not encrypted`

export const stopping = (seconds: number): string =>
  `stopping: runs have ${seconds} s to end; a second signal stops the server immediately`

export const unreadVariables = (names: ReadonlyArray<string>): string =>
  `these variables are set and have no effect: ${names.join(", ")}`

export const unsent = (what: string, host: string, why: string): string =>
  `cannot send ${what} to ${host}: ${why}; what is not taken is lost`

export const sentAgain = (what: string, host: string): string => `${what} are sent to ${host} again`

export const portForm = "must be a whole number from 0 to 65535"

export const nowhere = "--port none needs --socket: otherwise the server would listen nowhere"

export const needsPort = (option: string): string => `${option} needs a port, but --port none was given`

export const drainForm = "must be a whole number of seconds from 0 to 86400"

export const namesForm = "must be host names, such as skein.example.org, separated by commas"

export const originsForm = "must be origins, such as https://app.example.org, separated by commas"

export const baseForm = "must be a path such as /skein, without a trailing slash"

export const addressForm = "must be HOST:PORT"

export const needsKnowledge = (host: string): string =>
  `--host ${host} lets other hosts in, and anyone with a token can run commands here; add --i-know if you want that`

export const needlessKnowledge = "--i-know needs --host"

export const addressNeedsDatabase = "--address needs --database"

export const noServer = "no server is running for this place; start one with skein serve"

export const noPage =
  "the server listens only at a socket; start it with --names and --behind-proxy, so that the page has an address"

export const signIn = (url: string): string => `no browser was found; sign in within a minute at ${url}`

export const serverGone = (sessionId: string, options: string): string =>
  `the server is gone; the run continues when it is back, or with skein run --session ${sessionId} --resume${options} (Ctrl-C stops waiting)`

/** A failed request of a command that goes through the server. */
export const serverLost = (reason: "unreachable" | "refused" | "malformed", detail: string): string =>
  reason === "unreachable"
    ? "the server that has these sessions no longer answers; start it again, or try again without it"
    : `the server that has these sessions ${reason === "refused" ? "refused the request" : "sent an invalid answer"}: ${detail}`

export const watchedSession = "must be a session or a run, by its id"

export const nothingRuns = "no run is active; waiting for the next one (Ctrl-C stops waiting)"

export const leftBehind = "the run was left behind; it waits for skein run --resume or for another engine"

export const asks = (tool: string): string => `${tool} waits for permission`
