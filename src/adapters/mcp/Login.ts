/**
 * Logs in to a server that asks for OAuth: the user opens a link, grants access there, and comes back to a listener of
 * this process on the loopback.
 */
import { Deferred, Effect, Runtime } from "effect"
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { codeOf } from "../ErrorCode.js"
import { fetchWithLogin } from "./BoundedFetch.js"
import * as Logins from "./Logins.js"
import { McpFailed } from "./McpFailed.js"

/** How long the user may take. */
const patience = "10 minutes"

const page = (text: string) => `<!doctype html><meta charset="utf-8"><title>Skein</title><p>${text}</p>`

const loopback = "http://127.0.0.1"

/** The address of a visit; that of the root when it is none. */
const visited = (path: string | undefined): URL =>
  new URL(path !== undefined && URL.canParse(path, loopback) ? path : "/", loopback)

/** Listens for the user to come back. `came` has the parameters of the first visit that carries the state. */
const listen = (state: string) =>
  Effect.gen(function* () {
    const came = yield* Deferred.make<URLSearchParams>()
    const runSync = Runtime.runSync(yield* Effect.runtime<never>())
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createServer((request, response) => {
          const { pathname, searchParams } = visited(request.url)
          const isMeant = pathname === "/callback" && searchParams.get("state") === state
          response.writeHead(isMeant ? 200 : 404, { "content-type": "text/html; charset=utf-8", connection: "close" })
          response.end(page(isMeant ? "Back to the terminal: you can close this page." : "There is nothing here."))
          if (isMeant) runSync(Deferred.succeed(came, searchParams))
        })
      ),
      (server) => Effect.sync(() => void server.close())
    )
    const port = yield* Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
    return { redirect: `http://127.0.0.1:${port}/callback`, came: Deferred.await(came) }
  })

/** Logs in. `onLink` is passed the link that the user must open. */
export const run = Effect.fn("Mcp.login")(function* (
  folder: string,
  server: string,
  url: string,
  onLink: (link: string) => Effect.Effect<void>
) {
  const failed = (reason: string) => new McpFailed({ server, operation: "login", reason })
  const attempt = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (thrown) => failed(codeOf(thrown)) })
  const sdk = yield* Effect.promise(() => import("@modelcontextprotocol/client"))
  const state = randomUUID()
  const { came, redirect } = yield* listen(state)
  const links: Array<URL> = []
  const provider = yield* attempt(() =>
    Logins.begin(folder, server, url, { redirect, state, onLink: (link) => void links.push(link) })
  )
  const common = { serverUrl: url, fetchFn: fetchWithLogin(url) }
  yield* attempt(() => sdk.auth(provider, common))
  const [link] = links
  if (link === undefined || !/^https?:$/u.test(link.protocol)) return yield* failed("it returned no link to open")
  yield* onLink(link.href)
  const given = yield* Effect.timeoutFail(came, { duration: patience, onTimeout: () => failed("nobody came back") })
  const authorizationCode = given.get("code")
  if (authorizationCode === null) return yield* failed("access was not granted")
  const iss = given.get("iss")
  yield* attempt(() => sdk.auth(provider, { ...common, authorizationCode, ...(iss === null ? {} : { iss }) }))
}, Effect.scoped)
