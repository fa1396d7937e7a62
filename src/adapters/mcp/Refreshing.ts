/**
 * Refreshes a login when its server no longer accepts it. A server accepts a refresh token once, and may end a login
 * whose token is used twice. Of all processes and connections that share the folder, only one refreshes at a time, and
 * those that come later find the new tokens.
 *
 * They take turns by an SQLite lock on an empty file, which is released when its holder dies.
 */
import type { AuthProvider, FetchLike, OAuthClientProvider } from "@modelcontextprotocol/client"
import { setTimeout as sleep } from "node:timers/promises"
import * as Driver from "../sqlite/Driver.js"
import { LoginNeeded } from "./Logins.js"

type Sdk = Pick<typeof import("@modelcontextprotocol/client"), "auth" | "extractWWWAuthenticateParams">

/** How long to wait for others, in milliseconds, and how long between two attempts. */
const [patience, pause] = [30_000, 25]

const isBusy = (thrown: unknown): boolean => Driver.isError(thrown) && thrown.code.startsWith("SQLITE_BUSY")

/** Does the work while nobody else works under the lock of this file. */
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

/**
 * What a connection shows its server, and what it does when that is refused. `fetchFn` asks who grants access, and so
 * must not send what is meant for the server.
 */
export const make = (
  { auth, extractWWWAuthenticateParams }: Sdk,
  login: OAuthClientProvider,
  lock: string,
  fetchFn: FetchLike
): AuthProvider => {
  let shown: string | undefined
  const token = async () => (await login.tokens())?.access_token
  return {
    token: async () => (shown = await token()),
    onUnauthorized: ({ response, serverUrl }) => {
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
