/**
 * Refreshes a login when its server takes it no more. A server takes a refresh token once, and may end a login whose token
 * comes twice: of all processes and connections that share the folder one at a time refreshes, and whoever comes later
 * finds the tokens that are new by then.
 *
 * They take turns by a lock of SQLite on an empty file, which nobody keeps who has died.
 */
import type { AuthProvider, OAuthClientProvider } from "@modelcontextprotocol/client"
import { setTimeout as sleep } from "node:timers/promises"
import * as Driver from "../sqlite/Driver.js"
import { LoginNeeded } from "./Logins.js"

type Sdk = Pick<typeof import("@modelcontextprotocol/client"), "auth" | "extractWWWAuthenticateParams">

/** How long one waits for others, in milliseconds, and after how many it looks again. */
const [patience, pause] = [30_000, 25]

const isBusy = (thrown: unknown): boolean => Driver.isError(thrown) && thrown.code.startsWith("SQLITE_BUSY")

/** Does something while nobody else does it by this file. */
const alone = async (file: string, work: () => Promise<void>): Promise<void> => {
  const connection = Driver.open(file, { timeout: 0 })
  try {
    for (let waited = 0; ; waited += pause) {
      try {
        connection.exec("BEGIN EXCLUSIVE")
        break
      } catch (thrown) {
        if (!isBusy(thrown) || waited >= patience) throw thrown
      }
      await sleep(pause)
    }
    await work()
  } finally {
    connection.close()
  }
}

/** What a connection to a server shows it, and does when that is refused. */
export const make = (
  { auth, extractWWWAuthenticateParams }: Sdk,
  login: OAuthClientProvider,
  lock: string
): AuthProvider => {
  let shown: string | undefined
  const token = async () => (await login.tokens())?.access_token
  return {
    token: async () => (shown = await token()),
    onUnauthorized: ({ fetchFn, response, serverUrl }) => {
      const refused = shown
      return alone(lock, async () => {
        const known = await token()
        if (known !== undefined && known !== refused) return
        const asked = { ...extractWWWAuthenticateParams(response), serverUrl, fetchFn }
        if ((await auth(login, asked)) !== "AUTHORIZED") throw new LoginNeeded()
      })
    }
  }
}
