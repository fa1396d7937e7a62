import { describe, expect, it } from "@effect/vitest"
import { vi } from "vitest"
import { Effect, Logger, Option } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { get } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Mcp } from "skein/mcp"
import * as Login from "../../../../src/adapters/mcp/Login.js"
import * as Logins from "../../../../src/adapters/mcp/Logins.js"
import * as Loopback from "../../../support/Loopback.js"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"
import { oauthServer } from "./oauthServer.js"

const folderIn = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-login-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** Opens a link as a browser would, which then returns to the loopback. */
const visit = (link: string) => Effect.asVoid(Effect.promise(() => fetch(link)))

/** Refuses access, as a user may, and returns to the loopback. */
const refuse = (link: string) => {
  const { searchParams } = new URL(link)
  const back = new URL(searchParams.get("redirect_uri") ?? "")
  back.searchParams.set("error", "access_denied")
  back.searchParams.set("state", searchParams.get("state") ?? "")
  return visit(back.href)
}

/** The status of a request for exactly this path. */
const statusOf = (url: string, path: string) =>
  Effect.async<number | undefined>((resume) => {
    get(url, { path }, (response) => resume(Effect.succeed(response.resume().statusCode)))
  })

/** The URL of a server that has nothing: no tools, no metadata, no registration. */
const emptyServer = Effect.map(
  Loopback.serve((_, response) => void response.writeHead(404).end()),
  (url) => `${url}/mcp`
)

/** The message of a server's failure when its tools are asked for; "" if there is no failure. */
const failure = (url: string, logins: string) =>
  Effect.scoped(
    Effect.flatMap(Mcp.make({ docs: { url } }, { logins }), (mcp) =>
      Effect.match(mcp.tools("docs"), { onFailure: ({ message }) => message, onSuccess: () => "" })
    )
  )

describe("a login at a server that requires OAuth", () => {
  it.scopedLive("is made by a link, private to its owner, refreshed, and required again once it is revoked", () =>
    Effect.gen(function* () {
      const { expire, revoke, seen, url } = yield* oauthServer
      const folder = join(yield* folderIn, "mcp")
      const logged: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.map(Logger.jsonLogger, (line) => void logged.push(line))
      )
      const told: Array<string> = []
      const warned = vi.spyOn(console, "warn").mockImplementation((...said) => void logged.push(said.join(" ")))
      yield* Effect.addFinalizer(() => Effect.sync(() => warned.mockRestore()))
      const login = Login.run(folder, "docs", url, (link) =>
        Effect.zipRight(
          Effect.sync(() => told.push(link)),
          visit(link)
        )
      )
      yield* Effect.gen(function* () {
        told.push(yield* failure(url, folder))
        expect(told[0]).toMatch(/it requires a login: skein mcp login/)
        expect(seen).toEqual({ registrations: 0, refreshes: 0 })

        yield* login
        expect(told[1]).toMatch(/code_challenge_method=S256/)
        const file = join(folder, "docs.json")
        expect(readdirSync(folder)).toEqual(["docs.json"])
        expect([statSync(file).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700])
        const first = readFileSync(file, "utf8")
        expect(first).toContain("canary-access")
        expect(yield* failure(url, folder)).toBe("")

        expire()
        expect(yield* failure(url, folder)).toBe("")
        expect(seen).toEqual({ registrations: 1, refreshes: 1 })
        expect(readFileSync(file, "utf8")).not.toBe(first)

        // A login belongs to its URL: another server with the same name does not receive it.
        const other = yield* oauthServer
        told.push(yield* failure(other.url, folder))
        expect(told[2]).toMatch(/it requires a login/)

        revoke()
        told.push(yield* failure(url, folder))
        expect(told[3]).toMatch(/it requires a login/)
        yield* login
        expect(yield* failure(url, folder)).toBe("")

        expect(yield* Effect.promise(() => Logins.remove(folder, "docs"))).toBe(true)
        told.push(yield* failure(url, folder))
        expect(told.at(-1)).toMatch(/it requires a login/)
      }).pipe(Effect.provide(log))
      expect([...told, ...logged].join("\n")).not.toContain("canary")
    })
  )

  it.scopedLive("is refreshed once for all connections and processes that find it expired", () =>
    Effect.gen(function* () {
      const { expire, seen, url } = yield* oauthServer
      const folder = join(yield* folderIn, "mcp")
      yield* Login.run(folder, "docs", url, visit)
      const program = yield* bundle(new URL("asking.ts", import.meta.url))
      const here = Effect.map(failure(url, folder), (words) => words || "done")
      const elsewhere = Effect.gen(function* () {
        const { line } = yield* Process.start(process.execPath, [program, url, folder])
        return Option.getOrNull(yield* line)
      })
      for (const asking of [here, elsewhere]) {
        expire()
        const before = seen.refreshes
        const said = yield* Effect.all([asking, asking, asking, asking], { concurrency: "unbounded" })
        expect(said).toEqual(["done", "done", "done", "done"])
        expect(seen.refreshes - before).toBe(1)
      }
    })
  )

  it.scopedLive("is refreshed without the headers that are configured for the server", () =>
    Effect.gen(function* () {
      const { expire, headersElsewhere, seen, url } = yield* oauthServer
      const logins = join(yield* folderIn, "mcp")
      yield* Login.run(logins, "docs", url, visit)
      const mcp = yield* Mcp.make({ docs: { url, headers: { "x-key": "canary-header" } } }, { logins })
      expire()
      expect(yield* mcp.tools("docs")).toHaveLength(1)
      expect(seen.refreshes).toBe(1)
      expect(headersElsewhere.join("\n")).not.toContain("canary-header")
    })
  )

  it.scopedLive("fails with McpFailed and leaves no file when the server is unreachable or has no metadata", () =>
    Effect.gen(function* () {
      const folder = yield* folderIn
      for (const url of ["http://127.0.0.1:9/mcp", yield* emptyServer]) {
        const links: Array<string> = []
        const login = Login.run(folder, "docs", url, (link) => Effect.sync(() => void links.push(link)))
        expect(yield* Effect.flip(login)).toMatchObject({ _tag: "McpFailed", server: "docs", operation: "login" })
        expect([links, readdirSync(folder)]).toEqual([[], []])
      }
    })
  )

  it.scopedLive("goes on when anybody else asks its listener for anything", () =>
    Effect.gen(function* () {
      const { url } = yield* oauthServer
      const folder = yield* folderIn
      const answers: Array<number | undefined> = []
      yield* Login.run(folder, "docs", url, (link) =>
        Effect.gen(function* () {
          const back = new URL(link).searchParams.get("redirect_uri") ?? ""
          for (const path of ["//", "/callback?state=other", "*"]) answers.push(yield* statusOf(back, path))
          yield* visit(link)
        })
      )
      expect(answers).toEqual([404, 404, 404])
      expect(yield* failure(url, folder)).toBe("")
    })
  )

  it.scopedLive("fails with McpFailed when access is refused, and is still required then", () =>
    Effect.gen(function* () {
      const { url } = yield* oauthServer
      const folder = yield* folderIn
      expect(yield* Effect.flip(Login.run(folder, "docs", url, refuse))).toMatchObject({
        _tag: "McpFailed",
        server: "docs",
        operation: "login",
        reason: "access was not granted"
      })
      expect(yield* failure(url, folder)).toMatch(/it requires a login/)
      yield* Login.run(folder, "docs", url, visit)
      expect(yield* failure(url, folder)).toBe("")
    })
  )
})
