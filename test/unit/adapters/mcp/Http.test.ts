import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Predicate, Runtime } from "effect"
import type { ServerResponse } from "node:http"
import { Mcp } from "skein/mcp"
import { ScriptedModel } from "skein/scripted-model"
import { type Asked, event, httpServer, saying } from "./httpServer.js"
import { withServers } from "./withServers.js"

const isCall = ({ method }: Asked) => method === "tools/call"

/** A gate that a server opens. */
const gate = Effect.gen(function* () {
  const deferred = yield* Deferred.make<void>()
  const runSync = Runtime.runSync(yield* Effect.runtime<never>())
  return { open: () => void runSync(Deferred.succeed(deferred, void 0)), opened: Deferred.await(deferred) }
})

const place = Symbol.for("undici.globalDispatcher.1")

/** Gives requests of the process so many milliseconds of silence, unless they say otherwise. */
const limited = (millis: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Node makes its dispatcher when it first loads its fetch.
      expect(globalThis.Request).toBeDefined()
      const before: unknown = Reflect.get(globalThis, place)
      const dispatch = Predicate.hasProperty(before, "dispatch") ? before.dispatch : null
      if (!Predicate.isFunction(dispatch)) throw new Error("no dispatcher")
      Reflect.set(globalThis, place, {
        dispatch: (options: object, handler: unknown): unknown =>
          Reflect.apply(dispatch, before, [{ headersTimeout: millis, bodyTimeout: millis, ...options }, handler])
      })
      return before
    }),
    (before) => Effect.sync(() => Reflect.set(globalThis, place, before))
  )

describe("a server over HTTP", () => {
  it.scopedLive("is asked in a new session when it has forgotten the one before, once", () =>
    Effect.gen(function* () {
      let sessions = 0
      let isForgetful = false
      const calls: Array<string> = []
      const url = yield* httpServer((asked, response) => {
        const session = asked.http.headers["mcp-session-id"]
        if (asked.method === "initialize") {
          response.setHeader("mcp-session-id", `s${++sessions}`)
          return false
        }
        if (isCall(asked)) calls.push(String(session))
        if (session === `s${sessions}` && !isForgetful) return false
        response.writeHead(asked.path === "400" ? 400 : 404).end('{"error":{"message":"No valid session ID provided"}}')
        return true
      })
      for (const path of ["404", "400"]) {
        const { run } = yield* withServers({ remote: { url: `${url}/${path}` } })
        expect((yield* run(["remote__go", {}])).lines).toEqual(["remote__go success: done"])
        const now = sessions++
        calls.length = 0
        expect((yield* run(["remote__go", {}])).lines).toEqual(["remote__go success: done"])
        expect(calls).toEqual([`s${now}`, `s${now + 2}`])
        isForgetful = true
        expect((yield* run(["remote__go", {}])).lines[0]).toMatch(/^remote__go failure: .*failed to (call|connect)/)
        isForgetful = false
      }
    })
  )

  it.scopedLive("fails a call when it ends the answer without a result", () =>
    Effect.gen(function* () {
      const url = yield* httpServer((asked, response) => {
        if (!isCall(asked)) return false
        response.setHeader("content-type", "text/event-stream")
        response.write(event({ method: "notifications/message", params: { level: "info", data: "hm" } }))
        if (asked.path === "cut") setImmediate(() => response.destroy())
        else if (asked.path === "odd") response.end('data: {"jsonrpc":"2.0","id":')
        else response.end()
        return true
      })
      const { run } = yield* withServers({
        cut: { url: `${url}/cut` },
        odd: { url: `${url}/odd` },
        over: { url: `${url}/over` }
      })
      const { lines } = yield* run(["cut__go", {}], ["odd__go", {}], ["over__go", {}])
      expect(lines).toHaveLength(3)
      for (const line of lines) expect(line).toMatch(/failure: .*failed to call: ended its answer without a result/)
    })
  )

  it.scopedLive("fails a call when its answer holds no result of it, or is none", () =>
    Effect.gen(function* () {
      const error = { code: -32_600, message: "canary" }
      const ended = "ended its answer without a result"
      const odd = "its answer does not keep to the protocol"
      const answers: ReadonlyArray<readonly [name: string, why: string, answer: unknown]> = [
        ["none", ended, []],
        ["other", ended, { jsonrpc: "2.0", id: 7_777_777, result: saying("canary") }],
        ["unnamed", ended, { jsonrpc: "2.0", error }],
        ["notice", ended, { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "" } }],
        ["null", odd, { jsonrpc: "2.0", id: null, error }],
        ["text", odd, "canary"]
      ]
      const url = yield* httpServer((asked, response) => {
        if (!isCall(asked)) return false
        response.setHeader("content-type", "application/json; charset=utf-8")
        const answer = answers.find(([name]) => name === asked.path)?.[2]
        response.end(answer === "canary" ? answer : JSON.stringify(answer))
        return true
      })
      const { run } = yield* withServers(Object.fromEntries(answers.map(([name]) => [name, { url: `${url}/${name}` }])))
      const { lines } = yield* run(...answers.map(([name]) => [`${name}__go`, {}] as const))
      expect(lines).toEqual(
        answers.map(
          ([name, why]) => `${name}__go failure: The tool failed: The MCP server ${name} failed to call: ${why}`
        )
      )
    })
  )

  it.scopedLive("may accept a call, and answer it on another stream", () =>
    Effect.gen(function* () {
      const { open, opened } = yield* gate
      let stream: ServerResponse | null = null
      const url = yield* httpServer((asked, response) => {
        if (asked.method === "GET") {
          response.setHeader("content-type", "text/event-stream")
          response.write(": hi\n\n", open)
          stream = response
          return true
        }
        if (!isCall(asked)) return false
        response.on("close", () => stream?.write(event({ id: asked.id, result: saying("later") })))
        response.writeHead(202, { "content-type": "application/json", connection: "close" }).end("null")
        return true
      })
      const { run } = yield* withServers({ remote: { url } })
      yield* opened
      expect((yield* run(["remote__go", {}])).lines).toEqual(["remote__go success: later"])
    })
  )

  it.scopedLive("may be silent for as long as a call may take, whatever limit the process has for requests", () =>
    Effect.gen(function* () {
      yield* limited(2_000)
      const answers = new Map<ServerResponse, string>()
      const url = yield* httpServer((asked, response) => {
        if (asked.method === "GET") {
          response.setHeader("content-type", "text/event-stream")
          response.write(": hi\n\n")
          // What was asked before has been silent for longer than this stream.
          const before = [...answers]
          response.on("close", () => before.forEach(([asked, answer]) => asked.end(answer)))
          return true
        }
        if (!isCall(asked)) return false
        const result = { id: asked.id, result: saying("done") }
        if (asked.path === "json") {
          response.setHeader("content-type", "application/json")
          answers.set(response, JSON.stringify({ jsonrpc: "2.0", ...result }))
        } else {
          response.setHeader("content-type", "text/event-stream")
          response.write(": wait\n\n")
          answers.set(response, event(result))
        }
        return true
      })
      const { run } = yield* withServers({ json: { url: `${url}/json` }, stream: { url: `${url}/stream` } })
      const { lines } = yield* run(["json__go", {}], ["stream__go", {}])
      expect(lines).toEqual(["json__go success: done", "stream__go success: done"])
    })
  )

  it.scopedLive("continues an answer that was cut off where it was, and ends when it cannot", () =>
    Effect.gen(function* () {
      const resumed: Array<string> = []
      const answers = new Map<string, number | undefined>()
      const url = yield* httpServer((asked, response) => {
        const last = asked.http.headers["last-event-id"]
        if (asked.method === "GET" && typeof last === "string") {
          resumed.push(last)
          if (asked.path === "lost") response.writeHead(404).end()
          else {
            response.setHeader("content-type", "text/event-stream")
            response.end(event({ id: answers.get(asked.path), result: saying("resumed") }))
          }
          return true
        }
        if (!isCall(asked)) return false
        answers.set(asked.path, asked.id)
        response.setHeader("content-type", "text/event-stream")
        response.write(`retry: 1\nid: e1\ndata:\n\n`, () => response.destroy())
        return true
      })
      const { run } = yield* withServers({ found: { url: `${url}/found` }, lost: { url: `${url}/lost` } })
      const { lines } = yield* run(["found__go", {}], ["lost__go", {}])
      expect(lines[0]).toBe("found__go success: resumed")
      expect(lines[1]).toMatch(/failure: .*failed to call: ended its answer without a result/)
      expect(new Set(resumed)).toEqual(new Set(["e1"]))
    })
  )

  it.scopedLive(
    "says what went wrong with a call, not what went wrong before; one that wanted a login is connected to anew",
    () =>
      Effect.gen(function* () {
        const { open, opened } = yield* gate
        let isLocked = false
        let connections = 0
        const url = yield* httpServer((asked, response) => {
          if (asked.method === "initialize") connections++
          if (asked.method === "GET") {
            response.setHeader("content-type", "text/event-stream")
            response.write("data: no message\n\n", () => open())
            return true
          }
          if (!isLocked || !isCall(asked)) return false
          response.writeHead(401).end()
          return true
        })
        const { run } = yield* withServers({ remote: { url } })
        yield* opened
        expect((yield* run(["remote__go", {}])).lines).toEqual(["remote__go success: done"])
        isLocked = true
        expect((yield* run(["remote__go", {}])).lines[0]).toMatch(
          /failed to call: it requires a login: skein mcp login/
        )
        isLocked = false
        expect((yield* run(["remote__go", {}])).lines).toEqual(["remote__go success: done"])
        expect(connections).toBe(2)
      })
  )

  it.scopedLive("is not followed to another origin, which gets no secret", () =>
    Effect.gen(function* () {
      const got: Array<string> = []
      const other = yield* httpServer(({ http }, response) => {
        got.push(http.headers.authorization ?? "nothing")
        response.writeHead(404).end()
        return true
      })
      for (const status of [301, 302, 303, 307, 308]) {
        const url = yield* httpServer((asked, response) => {
          if (!isCall(asked)) return false
          response.writeHead(status, { location: `${other}/${asked.path}` }).end()
          return true
        })
        const { run } = yield* withServers({ remote: { url, headers: { authorization: "Bearer canary" } } })
        expect((yield* run(["remote__go", {}])).lines[0]).toMatch(/^remote__go failure: .*failed to call/)
      }
      expect(got).toEqual([])
    })
  )

  it.scopedLive("is told that a call is cancelled, and its answer is let go of whether it hears that or not", () =>
    Effect.gen(function* () {
      for (const path of ["hears", "refuses", "is-silent"]) {
        const [called, told, closed] = [yield* gate, yield* gate, yield* gate]
        let asked: number | undefined
        let cancelled: number | undefined
        const url = yield* httpServer((message, response) => {
          if (message.method === "notifications/cancelled") {
            cancelled = message.params?.requestId
            told.open()
            if (path === "refuses") response.writeHead(500).end()
            return path !== "hears"
          }
          if (!isCall(message)) return false
          asked = message.id
          response.setHeader("content-type", "text/event-stream")
          response.write(": wait\n\n")
          response.on("close", closed.open)
          called.open()
          return true
        })
        const { begin, gateway, model, seen } = yield* withServers({ remote: { url } })
        yield* model.play(
          ScriptedModel.calls(ScriptedModel.call({ name: "remote__go" }, {})),
          ScriptedModel.text("done")
        )
        const ref = yield* begin("go")
        yield* seen(ref, "call.started")
        yield* called.opened
        yield* gateway.cancel(ref.runId)
        yield* told.opened
        expect(cancelled).toBe(asked)
        yield* closed.opened
      }
    })
  )

  it.scopedLive("has its tools listed again when they changed while they were listed", () =>
    Effect.gen(function* () {
      let listed = 0
      const url = yield* httpServer((asked, response) => {
        if (asked.method !== "tools/list") return false
        const changed = event({ method: "notifications/tools/list_changed" })
        const tools = [{ name: `t${++listed}`, inputSchema: { type: "object" } }]
        response.setHeader("content-type", "text/event-stream")
        response.end(`${listed === 1 ? changed.repeat(100) : ""}${event({ id: asked.id, result: { tools } })}`)
        return true
      })
      const mcp = yield* Mcp.make({ remote: { url } })
      for (const name of ["t1", "t2", "t2"]) {
        expect((yield* mcp.tools("remote")).map((tool) => tool.name)).toEqual([`remote__${name}`])
      }
    })
  )

  it.scopedLive("is ended when it floods with messages that nobody asked for", () =>
    Effect.gen(function* () {
      const url = yield* httpServer((asked, response) => {
        if (!isCall(asked)) return false
        response.setHeader("content-type", "text/event-stream")
        const flood = event({ id: 7_777_777, result: {} }).repeat(500)
        const more = () => void (response.destroyed || response.write(flood, () => setImmediate(more)))
        more()
        return true
      })
      const { run } = yield* withServers({ remote: { url } })
      expect((yield* run(["remote__go", {}])).lines[0]).toMatch(/failed to call: sent over 5000 messages/)
    })
  )

  it.scopedLive("is told apart by the status that it answers with", () =>
    Effect.gen(function* () {
      const url = yield* httpServer((asked, response) => {
        if (!isCall(asked)) return false
        response.writeHead(503).end("canary")
        return true
      })
      const { run } = yield* withServers({ remote: { url } })
      expect((yield* run(["remote__go", {}])).lines).toEqual([
        expect.stringMatching(/failed to call: it answered with the HTTP status 503$/)
      ])
    })
  )
})
