/**
 * What is allowed at the same time, per second, and in size: beyond that a request is refused in words, before it has
 * any effect, and its connection goes on where possible.
 */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { type Run, Session } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as Net from "node:net"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import { listen } from "../http/listening.js"
import * as Server from "./guarded.js"

/** The headers of a request with a new token that has these caps. */
const capped = (name: string, caps: Partial<TokenFolder.Token>) =>
  Effect.gen(function* () {
    const { folder } = yield* Server.Guarded
    const text = yield* TokenFolder.create(folder, {
      name: TokenText.Name.make(name),
      scope: "write",
      owner: null,
      expiresAt: null,
      ...Server.noCaps,
      ...caps
    })
    return { authorization: `Bearer ${text}` }
  })

const tooMany = (answer: Server.Raw) => {
  expect([answer.status, answer.tag, answer.header("retry-after")]).toEqual([429, "TooMany", "1"])
  const said: unknown = JSON.parse(answer.body)
  return said
}

const proxied = {
  hosts: ["skein.example"],
  origins: ["https://app.example"],
  basePath: "/skein"
}

describe("limits", () => {
  const it = Server.tests({ ...proxied, connections: 12, maxOpen: 3 })

  it("on requests per second are per token, and allow the next request a moment later", () =>
    Effect.gen(function* () {
      const { known, send } = yield* Server.Guarded
      const bearer = yield* capped("few", { maxRequests: 2 })
      const get = (path = "/v1/questions") => send("GET", path, bearer)
      expect([(yield* get()).status, (yield* get("/v1/nothing")).status]).toEqual([200, 404])
      // So many at once that even a busy machine answers more than two a second.
      const answers = yield* Effect.replicateEffect(get(), 60, { concurrency: "unbounded" })
      const refused = answers.find(({ status }) => status !== 200) ?? expect.unreachable()
      expect(tooMany(refused)).toMatchObject({ field: "requests", limit: "at most 2 a second" })
      expect((yield* send("GET", "/v1/questions", known)).status).toBe(200)
      const later = yield* Effect.repeat(get(), { until: ({ status }) => status === 200, times: 10_000 })
      expect(later.status).toBe(200)
    }))

  it("on a body hold whether its length is declared or not", () =>
    Effect.gen(function* () {
      const { gateway, raw, own, send } = yield* Server.Guarded
      const bearer = yield* capped("small", { maxUpload: 10 })
      yield* gateway.create({ id: Session.Id.make("files") })
      const path = "/v1/sessions/files/assets"
      const typed = { ...bearer, "content-type": "text/plain" }
      expect((yield* send("PUT", path, typed, "a".repeat(10))).status).toBe(201)
      const said = yield* send("PUT", path, typed, "a".repeat(11))
      expect([said.status, said.tag]).toEqual([413, "BodyTooLarge"])
      const chunk = `6\r\naaaaaa\r\n`
      const host = `Host: ${own.slice(7)}\r\nAuthorization: ${bearer.authorization}\r\nConnection: close\r\n`
      const put = `PUT ${path} HTTP/1.1\r\n${host}Content-Type: text/plain\r\n`
      const unsaid = yield* raw(`${put}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`)
      expect([unsaid.status, unsaid.tag]).toEqual([413, "BodyTooLarge"])
      const told = yield* send("GET", "/v1/limits", bearer)
      expect(JSON.parse(told.body)).toEqual({ ...(yield* gateway.limits()), assetBytes: 10 })
      const huge = yield* raw(`${put}Content-Length: 99999999999\r\n\r\na`)
      expect([huge.status, huge.tag]).toEqual([413, "BodyTooLarge"])
      const json = yield* send("POST", "/v1/sessions", bearer, `{"title":"more"}`)
      expect([json.status, json.tag]).toEqual([413, "BodyTooLarge"])
      expect(yield* gateway.assets(Session.Id.make("files"))).toHaveLength(1)
    }))

  it("on runs count running and waiting ones, and a run that ends makes room", () =>
    Effect.gen(function* () {
      const { begin, gateway, known, model, send, session, transcript } = yield* Server.Guarded
      const bearer = yield* capped("one-run", { maxRuns: 1 })
      yield* model.play(ScriptedModel.hang, ScriptedModel.text("a"), ScriptedModel.text("b"))
      const [one, two] = [yield* session(), yield* session()]
      const post = (id: string, headers: Server.Headers) =>
        send("POST", `/v1/sessions/${id}/messages`, headers, `{"text":"go","whenBusy":"queue"}`)
      const first = yield* post(one.id, bearer)
      expect(first.status).toBe(202)
      for (const id of [one.id, two.id]) {
        expect(tooMany(yield* post(id, bearer))).toMatchObject({ field: "runs", limit: "at most 1 running or waiting" })
      }
      expect(yield* transcript(two.id)).toEqual([])
      expect((yield* post(two.id, known)).status).toBe(202)
      const [run] = yield* gateway.runs({ sessionId: one.id })
      if (run !== undefined) yield* gateway.cancel(run.id)
      const later = yield* Effect.repeat(post(two.id, bearer), { until: ({ status }) => status === 202, times: 1_000 })
      expect(later.status).toBe(202)
      const last = yield* begin("once more")
      // The steps that the next test scripts are for its own runs.
      for (const sessionId of [two.id, last.sessionId]) {
        const ended = (runs: ReadonlyArray<Run.Run>) => runs.every(({ state }) => state === "ended")
        yield* Effect.repeat(gateway.runs({ sessionId }), { until: ended })
      }
    }))

  it("on requests and runs also hold for the protocols of front ends", () =>
    Effect.gen(function* () {
      const { gateway, model, send } = yield* Server.Guarded
      const chat = (id: string) =>
        ["/ai/chat", { id, messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "go" }] }] }] as const
      const agui = (threadId: string) =>
        ["/agui", { threadId, runId: "r", messages: [{ id: "m", role: "user", content: "go" }] }] as const
      for (const [protocol, post] of [
        ["ai", chat],
        ["agui", agui]
      ] as const) {
        const bearer = yield* capped(`one-${protocol}`, { maxRuns: 1 })
        const to = (id: string, headers: Server.Headers) => {
          const [path, body] = post(Session.Id.make(`${protocol}-${id}`))
          return send("POST", path, headers, JSON.stringify(body))
        }
        yield* model.play(ScriptedModel.hang)
        const first = yield* Effect.fork(to("one", bearer))
        const one = Session.Id.make(`${protocol}-one`)
        const [run] = yield* Effect.repeat(
          Effect.catchTag(gateway.runs({ sessionId: one }), "SessionNotFound", () => Effect.succeed([])),
          { until: (runs) => runs.length > 0 }
        )
        expect(tooMany(yield* to("two", bearer))).toMatchObject({ field: "runs" })
        if (run !== undefined) yield* gateway.cancel(run.id)
        expect((yield* Fiber.join(first)).status).toBe(200)
        const slow = yield* capped(`slow-${protocol}`, { maxRequests: 1 })
        expect((yield* send("GET", "/v1/questions", slow)).status).toBe(200)
        expect(tooMany(yield* to("three", slow))).toMatchObject({ field: "requests" })
        const made = yield* gateway.sessions({})
        expect(made.sessions.map(({ id }) => id).filter((id) => id.startsWith(protocol))).toEqual([one])
      }
    }))

  it("on open requests count event streams, per token", () =>
    Effect.gen(function* () {
      const { known, port, send } = yield* Server.Guarded
      const bearer = yield* capped("watcher", {})
      const streams = yield* Effect.forEach([1, 2, 3], () => listen(port, "/v1/events", bearer))
      expect(tooMany(yield* send("GET", "/v1/events", bearer))).toMatchObject({ field: "open" })
      expect((yield* send("GET", "/v1/questions", known)).status).toBe(200)
      streams[0]?.response.destroy()
      const later = yield* Effect.repeat(send("GET", "/v1/questions", bearer), {
        until: ({ status }) => status === 200,
        schedule: Schedule.recurs(1_000)
      })
      expect(later).toBeDefined()
      expect((yield* send("GET", "/v1/questions", bearer)).status).toBe(200)
    }))

  it("admit a proxy's host name, the pages on the list, and the proxy's base path", () =>
    Effect.gen(function* () {
      const { code, known, port, send } = yield* Server.Guarded
      const get = (path: string, headers: Server.Headers) => send("GET", path, { ...known, ...headers })
      for (const host of ["skein.example", `skein.example:${port}`, "SKEIN.example"]) {
        expect([host, (yield* get("/skein/v1/questions", { host })).status]).toEqual([host, 200])
      }
      for (const host of ["evil.skein.example", "skein.example.evil", "skein.example:1"]) {
        expect([host, (yield* get("/v1/questions", { host })).status]).toEqual([host, 421])
      }
      expect((yield* send("GET", "/skein/v1/questions")).status).toBe(401)
      expect((yield* get("/skeinx/v1/questions", {})).status).toBe(404)
      for (const path of ["/skein", "/skein?a=//evil.example"]) {
        for (const method of ["GET", "HEAD"]) {
          const moved = yield* send(method, path)
          expect([path, moved.status, moved.header("location"), Server.whole(moved)]).toEqual([
            path,
            308,
            "/skein/",
            ""
          ])
        }
      }
      expect((yield* send("GET", "/skein", { host: "evil.example" })).status).toBe(421)
      expect([(yield* send("GET", "/skeinx")).status, (yield* send("POST", "/skein")).status]).toEqual([401, 401])
      const origin = "https://app.example"
      const listed = yield* get("/v1/questions", { origin, "sec-fetch-site": "cross-site" })
      expect([listed.status, listed.header("access-control-allow-origin")]).toEqual([200, origin])
      expect(listed.header("access-control-allow-credentials")).toBeUndefined()
      const asks = { origin, "access-control-request-method": "POST" }
      const before = yield* send("OPTIONS", "/v1/sessions", asks)
      expect([before.status, before.header("access-control-allow-headers")]).toEqual([
        204,
        expect.stringContaining("authorization")
      ])
      const own = { host: "skein.example", origin: "https://skein.example" }
      const login = yield* send("POST", "/skein/login", own, JSON.stringify({ code: yield* code }))
      const cookie = login.header("set-cookie") ?? ""
      expect([login.status, cookie]).toEqual([204, expect.stringMatching(/Path=\/skein\/;.*; Secure$/)])
      const sent = { cookie: cookie.split(";")[0] ?? "" }
      const post = (headers: Server.Headers) => send("POST", "/skein/v1/sessions", { ...sent, ...headers }, "{}")
      expect((yield* post(own)).status).toBe(201)
      expect((yield* post({ origin, host: "skein.example" })).status).toBe(401)
      expect((yield* post({ ...own, origin: "https://app.example.evil" })).status).toBe(403)
    }))

  it("on connections refuse any further client with an answer, until one is closed; those that are open go on", () =>
    Effect.gen(function* () {
      const { known, own, port, send } = yield* Server.Guarded
      const idle = yield* Effect.forEach(Array.from({ length: 12 }), () =>
        Effect.acquireRelease(
          Effect.async<Net.Socket>((resume) => {
            const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
          }),
          (socket) => Effect.sync(() => socket.destroy())
        )
      )
      const answer = yield* send("POST", "/v1/sessions", { ...known, connection: "keep-alive" }, "{}")
      expect(tooMany(answer)).toMatchObject({ field: "connections" })
      expect(answer.header("connection")).toBe("close")
      const ask = `GET /v1/questions HTTP/1.1\r\nHost: ${own.slice(7)}\r\nAuthorization: ${known.authorization}\r\n\r\n`
      for (const socket of idle) {
        const answered = Effect.async<string>((resume) => {
          if (socket.destroyed) return resume(Effect.succeed("closed"))
          socket.once("data", (bytes) => resume(Effect.succeed(String(bytes))))
          socket.once("close", () => resume(Effect.succeed("closed")))
          socket.write(ask)
        })
        expect(yield* answered).toMatch(/^HTTP\/1\.1 200 /)
      }
      idle[0]?.destroy()
      const later = yield* Effect.repeat(send("GET", "/v1/questions", known), {
        until: ({ status }) => status === 200,
        times: 1_000
      })
      expect(later.status).toBe(200)
    }))
})

describe("a request head that never ends", () => {
  const it = Server.tests({ headMillis: 200 })

  it("is refused with the limit, and keeps nobody else waiting", () =>
    Effect.gen(function* () {
      const { known, own, raw, send } = yield* Server.Guarded
      const slow = yield* Effect.fork(raw(`GET /v1/sessions HTTP/1.1\r\nHost: ${own.slice(7)}\r\nX-Part: `))
      expect((yield* send("GET", "/v1/sessions", known)).status).toBe(200)
      const answer = yield* Fiber.join(slow)
      expect([answer.status, answer.tag, answer.header("connection")]).toEqual([408, "TooSlow", "close"])
      expect(answer.body).toContain("a head within 0.2 seconds, and all of it within 300")
    }))
})
