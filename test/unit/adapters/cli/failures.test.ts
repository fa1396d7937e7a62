import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Cause, Effect } from "effect"
import { createServer } from "node:http"
import { join } from "node:path"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import * as Program from "./Program.js"

interface Call {
  readonly method: string
  readonly url: string
  readonly authorization: string
}

/** A provider that refuses every message but lists its models. */
const provider = (status: number, message: string, models: string) =>
  Effect.gen(function* () {
    const calls: Array<Call> = []
    const server = createServer((request, response) => {
      calls.push({
        method: request.method ?? "",
        url: request.url ?? "",
        authorization: request.headers.authorization ?? ""
      })
      request.resume()
      response.setHeader("content-type", "application/json")
      if (request.method === "GET") return response.end(models)
      response.statusCode = status
      return response.end(JSON.stringify({ error: { message } }))
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () => Effect.sync(() => server.close())
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return { url: `http://127.0.0.1:${port}/v1`, calls }
  })

/** Changes a database as damage does. */
const damage = (path: string, sql: string) =>
  Effect.sync(() => {
    const connection = new Sqlite(path)
    connection.exec(sql)
    connection.close()
  })

/** An error as Node makes it of the system's. */
const ofSystem = (code: string, syscall: string, path?: string) =>
  Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, ...(path === undefined ? {} : { path }) })

describe("what the system does not give is no internal error", () => {
  it.scopedLive("a command that may open too few files names the limit in one line", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      for (let files = 64; files >= 24; files -= 4) {
        const { code, stderr, stdout } = yield* home.shell(`ulimit -n ${files}; skein sessions list`)
        if (code === 0) continue
        expect({ code, stderr, stdout }).toEqual({
          code: 1,
          stderr: `skein: too many open files, EMFILE; this process may have ${files}: raise the limit, such as with ulimit -n 4096\n`,
          stdout: ""
        })
        return
      }
      expect.unreachable()
    })
  )

  it("names what is short, whatever has wrapped the error", () => {
    const report = (error: unknown) => Failure.report(Cause.die(error))
    expect(report(ofSystem("ENFILE", "open", "/a"))).toMatch(/^skein: too many open files on this host, ENFILE; /)
    expect(report(new Error("it broke", { cause: ofSystem("EAGAIN", "spawn sh") }))).toMatch(
      /^skein: no more processes can be started, EAGAIN; .*ulimit -u/
    )
    expect(report(ofSystem("ENOSPC", "mkdtemp", "/tmp/x\u001b[2J"))).toMatch(
      /^skein: the system does not mkdtemp \/tmp\/x[^\u001b]+: the disk is full, ENOSPC$/
    )
    expect(report(ofSystem("EAGAIN", "read"))).toContain("internal error")
    expect(report(new TypeError("x is not a function"))).toContain("internal error")
  })
})

describe("skein run that fails", () => {
  it.scopedLive("leads to skein doctor when the database has lost a table", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "s.json": JSON.stringify([{ text: "hello" }, { text: "again" }]) })
      expect((yield* home.run(["run", "hi", "--model", "script/s.json"])).code).toBe(0)
      yield* damage(join(home.data, "skein.db"), "DROP TABLE messages")
      const run = yield* home.run(["run", "again", "--last", "--quiet"])
      expect(run).toMatchObject({ code: 1, stdout: "" })
      expect(run.stderr).toMatch(
        /^skein: cannot [^:]+: the database is not in the expected form, SQLITE_ERROR; skein doctor shows more\n$/
      )
      yield* damage(join(home.data, "skein.db"), "DROP TABLE engines")
      const list = yield* home.run(["sessions", "list"])
      expect(list).toMatchObject({ code: 1, stdout: "" })
      expect(list.stderr).toMatch(/SQLITE_ERROR; skein doctor shows more\n$/)
      expect((yield* home.run(["doctor"])).stdout).toContain("messages")
    })
  )

  it.scopedLive("a deleted current folder is said in one line, and hinders no command that does not need it", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const gone = "mkdir ../gone && cd ../gone && rmdir ../gone && skein"
      expect(yield* home.shell(`${gone} sessions list --limit 3`)).toMatchObject({
        code: 0,
        stdout: "No sessions.\n"
      })
      for (const args of ["run hello", "demo"]) {
        expect(yield* home.shell(`${gone} ${args}`)).toMatchObject({
          code: 1,
          stderr: "skein: the current folder is gone; change to one that exists\n"
        })
      }
    })
  )

  it.scopedLive("says which models a provider has, and sends it its own key only", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const models = JSON.stringify({ data: [{ id: "zeta" }, { id: "mini-2" }, { id: "mini-1" }] })
      const { calls, url } = yield* provider(404, "The model `mini-3` does not exist", models)
      yield* home.write(
        "config.json",
        JSON.stringify({
          model: "local/mini-3",
          providers: { local: { kind: "chat-completions", baseUrl: url, apiKey: { env: "LOCAL_KEY" } } }
        })
      )
      const env = { SKEIN_CONFIG: home.at("config.json"), LOCAL_KEY: "k-canary-1", OPENAI_API_KEY: "k-canary-2" }
      const { code, stderr, stdout } = yield* home.run(["run", "--quiet", "hi"], env)
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
      expect(Program.isOneLine(stderr)).toBe(true)
      expect(stderr).toContain("skein: local has no model mini-3 (404): The model `mini-3` does not exist. It has ")
      expect(stderr).toContain("mini-1, mini-2, zeta.")
      expect(stderr).not.toContain("canary")
      expect(calls).toEqual([
        { method: "POST", url: "/v1/chat/completions", authorization: "Bearer k-canary-1" },
        { method: "GET", url: "/v1/models", authorization: "Bearer k-canary-1" }
      ])
    })
  )

  it.scopedLive("does without a list that is none, and names the session to continue", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      for (const [status, models, says] of [
        [404, "<html>", "Choose another with --model PROVIDER/MODEL"],
        [404, "x".repeat(2_000_000), "Choose another with --model PROVIDER/MODEL"],
        [400, "", "To continue: skein run --session ses_"]
      ] as const) {
        const { url } = yield* provider(status, "no", models)
        const env = yield* Program.configure(home, url)
        const { code, stderr } = yield* home.run(["run", "--quiet", "hi"], env)
        expect({ code, isOneLine: Program.isOneLine(stderr) }).toEqual({ code: 1, isOneLine: true })
        expect(stderr).toContain(says)
      }
    })
  )
})
