/**
 * What is wrong with a request is reported in one JSON shape, with the right status, and never with anything from the
 * request. Each request here contains a secret, which must be in no answer and in no line of the log.
 */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Predicate } from "effect"
import { Session } from "skein"
import * as Net from "node:net"
import { type Answer, canary, served, statusesOf, type Wish } from "./server.js"

const post = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Wish => ({ body, headers })
const json = (value: unknown): Wish => post(JSON.stringify(value))

const shapeOf = ({ headers, json, status }: Answer) => {
  const error = json()
  const fields = Predicate.isReadonlyRecord(error) ? error : {}
  expect(headers["content-type"]).toMatch(/^application\/json/)
  expect(headers["x-content-type-options"]).toBe("nosniff")
  expect(headers["cache-control"]).toBe("no-store")
  expect(fields).toMatchObject({ message: expect.any(String) })
  return [status, fields["_tag"], fields["field"]]
}

const id = "s1"
const messages = `/v1/sessions/${id}/messages`
const patch = `/v1/sessions/${id}`
const invalid = (field: string) => [422, "InvalidInput", field] as const
const malformed = [400, "Malformed", "body"] as const
const unsupported = (field: string) => [415, "UnsupportedContent", field] as const

const deep = `{"metadata":${'{"a":'.repeat(90_000)}1${"}".repeat(90_000)}}`
const manyKeys = JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, n) => [`${canary}${n}`, 1])))

const tooLarge = [413, "BodyTooLarge", "body"] as const
const manyValues = `{"text":"${canary}","files":[${"{},".repeat(100_000)}{}]}`
const longTitle = "a".repeat(1024 * 1024)

type Expected = readonly [status: number, tag: string, field?: string]
const cases: ReadonlyArray<readonly [title: string, method: string, path: string, wish: Wish, expected: Expected]> = [
  ["no JSON", "POST", messages, post(`{"text": "${canary}`), malformed],
  ["bytes that are no UTF-8", "POST", messages, post(Buffer.from(`{"text":"${canary}\xc0\xae"}`, "latin1")), malformed],
  ["JSON of another kind", "POST", messages, post(`"${canary}"`), invalid("")],
  ["a field of another type", "POST", messages, json({ text: [canary] }), invalid("text")],
  ["a field that is not known", "POST", messages, json({ text: "a", [canary]: canary }), invalid("")],
  [
    "one in a file",
    "POST",
    messages,
    json({ text: "a", files: [{ assetId: "a", mediaType: "b", [canary]: 1 }] }),
    invalid("files.0")
  ],
  ["a key in the body", "POST", messages, json({ text: "a", idempotencyKey: canary }), invalid("")],
  ["a session in the body", "POST", messages, json({ text: "a", sessionId: canary }), invalid("")],
  ["nothing at all", "POST", messages, post(""), invalid("text")],
  ["a message that is empty", "POST", messages, json({ text: "" }), invalid("text")],
  [
    "no content type",
    "POST",
    messages,
    post(`{"text":"${canary}"}`, { "content-type": "" }),
    unsupported("content-type")
  ],
  [
    "a form",
    "POST",
    messages,
    post(`text=${canary}`, { "content-type": "application/x-www-form-urlencoded" }),
    unsupported("content-type")
  ],
  [
    "plain text",
    "POST",
    messages,
    post(`{"text":"${canary}"}`, { "content-type": "text/plain" }),
    unsupported("content-type")
  ],
  [
    "a type that is like JSON",
    "POST",
    messages,
    post("{}", { "content-type": `application/json+${canary}` }),
    unsupported("content-type")
  ],
  [
    "another charset",
    "POST",
    messages,
    post("{}", { "content-type": "application/json; charset=utf-16" }),
    unsupported("content-type")
  ],
  ["an encoding", "POST", messages, post("{}", { "content-encoding": "gzip" }), unsupported("content-encoding")],
  ["deep JSON", "POST", "/v1/sessions", post(deep), invalid("metadata.a")],
  ["many keys", "POST", "/v1/sessions", post(manyKeys), invalid("")],
  ["more values than are parsed", "POST", messages, post(manyValues), tooLarge],
  ["a body of a message's length where there is none", "PATCH", patch, json({ title: longTitle }), tooLarge],
  ["a prototype", "POST", "/v1/sessions", post(`{"__proto__":{"title":"${canary}"}}`), invalid("")],
  [
    "a prototype in metadata",
    "PATCH",
    patch,
    post(`{"metadata":{"__proto__":"${canary}"}}`),
    invalid("metadata.__proto__")
  ],
  [
    "a key that is too long",
    "POST",
    messages,
    post(`{"text":"a"}`, { "idempotency-key": canary.repeat(100) }),
    invalid("idempotency-key")
  ],
  ["a field where there is none", "POST", "/v1/runs/r1/cancel", json({ [canary]: 1 }), invalid("")],
  [
    "a form that asks for a cancel",
    "POST",
    "/v1/runs/r1/cancel",
    post("", { "content-type": "text/plain" }),
    unsupported("content-type")
  ],
  ["a filter that is not known", "GET", `/v1/sessions?${canary}=${canary}`, {}, invalid("")],
  ["a filter where there is none", "GET", `/v1/sessions/${id}?owner=${canary}`, {}, invalid("")],
  ["an activity that is not known", "GET", `/v1/sessions?activity=${canary}`, {}, invalid("activity.0")],
  ["a limit twice", "GET", "/v1/sessions?limit=1&limit=2", {}, invalid("limit")],
  ["a limit that is out of range", "GET", "/v1/sessions?limit=501", {}, invalid("limit")],
  ["a place that is none", "GET", `/v1/sessions?after=${canary}`, {}, invalid("after")],
  ["a flag that is none", "GET", `/v1/sessions?total=${canary}`, {}, invalid("total")],
  ...["NaN", "1e3", "Infinity", "-1", "0x10", "1.5", "%201", "+1", "", "01", "9".repeat(20), canary].map(
    (n) => [`the place ${n}`, "GET", `/v1/sessions/${id}/transcript?from=${n}`, {}, invalid("from")] as const
  ),
  ["the place 0", "GET", `/v1/sessions/${id}/entries/0`, {}, invalid("seq")],
  ["a cursor that is none", "GET", `/v1/sessions/${id}/events?after=${canary}`, {}, invalid("after")],
  [
    "a last id that is none",
    "GET",
    `/v1/sessions/${id}/events`,
    { headers: { "last-event-id": canary } },
    invalid("last-event-id")
  ],
  [
    "a last id that is none, with a cursor",
    "GET",
    `/v1/sessions/${id}/events?after=1`,
    { headers: { "last-event-id": "x" } },
    invalid("last-event-id")
  ],
  ...["%2e%2e", "%252e", "%00", "%5c", "a%2fb", "%F0%9F%98%80", "__proto__", "_a", "a".repeat(65), `${canary}.`].map(
    (text) => [`the id ${text}`, "GET", `/v1/sessions/${text}`, {}, invalid("sessionId")] as const
  ),
  ["bytes of an id that are too many", "GET", "/v1/sessions/%c0%ae%c0%ae", {}, [404, "NoSuchRoute"]],
  ["a very long id", "GET", `/v1/sessions/${canary.repeat(200)}`, {}, [404, "NoSuchRoute"]],
  ["a session that is not there", "GET", "/v1/sessions/nobody/transcript", {}, [404, "SessionNotFound"]],
  ["another case", "GET", `/V1/sessions/${id}`, {}, [404, "NoSuchRoute"]],
  ["one slash more", "GET", `/v1//sessions/${id}`, {}, [404, "NoSuchRoute"]],
  ["one slash at the end", "GET", `/v1/sessions/${id}/`, {}, [404, "NoSuchRoute"]],
  ["nothing there", "GET", `/v1/${canary}`, {}, [404, "NoSuchRoute"]],
  ["the root", "GET", "/", {}, [404, "NoSuchRoute"]],
  ["a path out of it", "GET", `/v1/../${canary}`, {}, [404, "NoSuchRoute"]],
  ["another method", "PUT", `/v1/sessions?${canary}=1`, json({}), [405, "MethodNotAllowed"]],
  [
    "what a browser asks before",
    "OPTIONS",
    messages,
    { headers: { origin: `http://${canary}` } },
    [405, "MethodNotAllowed"]
  ],
  [
    "no media type",
    "PUT",
    `/v1/sessions/${id}/assets`,
    post("a", { "content-type": canary }),
    unsupported("content-type")
  ]
]

describe("refusals", () => {
  it.scopedLive("have one shape and the right status, and repeat nothing from the request", () =>
    Effect.gen(function* () {
      const { gateway, log, request } = yield* served()
      yield* gateway.create({ id: Session.Id.make(id) })
      for (const [title, method, path, wish, expected] of cases) {
        const answer = yield* request(method, path, wish)
        const [status, tag, field] = expected
        expect([title, answer.status]).toEqual([title, status])
        expect([title, ...shapeOf(answer)]).toEqual([title, status, tag, field])
        expect(answer.text + JSON.stringify(answer.headers)).not.toContain(canary)
        expect(answer.bytes.length).toBeLessThan(1000)
      }
      expect(log).toEqual([])
      expect(yield* gateway.session(Session.Id.make(id))).toMatchObject({ head: 0, cursor: 1 })
    })
  )

  it.scoped("of a method list the methods that are allowed", () =>
    Effect.gen(function* () {
      const { request } = yield* served()
      const allowed = (path: string) => Effect.map(request("PUT", path, json({})), ({ headers }) => headers["allow"])
      expect(yield* allowed("/v1/sessions")).toBe("POST, GET, HEAD, PATCH")
      expect(yield* allowed("/v1/sessions/a")).toBe("GET, HEAD, PATCH, DELETE")
      expect(yield* allowed("/v1/runs/a/cancel")).toBe("POST")
    })
  )

  it.scoped("name what is allowed", () =>
    Effect.gen(function* () {
      const { request } = yield* served()
      expect((yield* request("POST", "/v1/sessions", json({ titel: "a" }))).json()).toMatchObject({
        limit: "only the fields id, title, owner, workdir, placement, parent, agent, model, metadata",
        actual: "another field",
        message: expect.stringMatching(/^only the fields id, /)
      })
      expect((yield* request("GET", "/v1/sessions?limit=0")).json()).toMatchObject({
        field: "limit",
        limit: "a whole number from 1 to 500"
      })
    })
  )
})

describe("raw requests", () => {
  const get = `GET /v1/sessions HTTP/1.1\r\nHost: x\r\n`

  it.scoped("that are malformed are refused, and later requests are answered", () =>
    Effect.gen(function* () {
      const { log, raw, request } = yield* served()
      const close = "Connection: close\r\n\r\n"
      const hostile: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
        [`GET http://${canary}/v1/sessions HTTP/1.1\r\nHost: x\r\n${close}`, [400]],
        [`OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}`, [400]],
        [`${get}X: ${"a".repeat(100_000)}${canary}\r\n${close}`, [431]],
        [
          `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n${close}0\r\n\r\n`,
          [400]
        ],
        [`GET /v1/sessions HTTP/1.1\nHost x ${canary}\n\n`, [400]],
        [`GET /v1/sessions/\xff\xfe HTTP/1.1\r\nHost: x\r\n${close}`, [400]],
        [
          `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n${close}{`,
          [413]
        ],
        [
          `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${close}zz\r\n${canary}`,
          [400]
        ]
      ]
      for (const [bytes, statuses] of hostile) {
        const text = yield* raw(bytes)
        expect([bytes.slice(0, 60), ...statusesOf(text)]).toEqual([bytes.slice(0, 60), ...statuses])
        expect(text).not.toContain(canary)
        expect(text).toMatch(/\r\n\r\n\{(?=.*"_tag":"\w+").*"message":".+"\}$/)
        expect((yield* request("GET", "/v1/sessions")).status).toBe(200)
      }
      expect(log.join()).not.toContain(canary)
    })
  )

  it.scoped("that offer another protocol are requests like others: their bodies count, and the connection closes", () =>
    Effect.gen(function* () {
      const { raw } = yield* served()
      for (const protocol of ["websocket", "h2c", "TLS/1.2"]) {
        const body = JSON.stringify({ title: protocol })
        const text = yield* raw(
          `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        )
        expect(statusesOf(text)).toEqual([201])
        expect(text).toContain(body.slice(1, -1))
      }
    })
  )

  it.scoped("on one connection are answered in order, even with a refused body among them", () =>
    Effect.gen(function* () {
      const { raw } = yield* served()
      const bad = `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 70000\r\n\r\n${"a".repeat(70_000)}`
      const text = yield* raw(
        `${get}\r\n${bad}${get}\r\nDELETE /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
      )
      expect(statusesOf(text)).toEqual([200, 415, 200, 405])
    })
  )

  it.scoped("with a body that is too large are refused before all of it is read, and the connection goes on", () =>
    Effect.gen(function* () {
      const { port, raw, request } = yield* served()
      const head = `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
      const declared = yield* raw(`${head}Content-Length: 1000000000\r\n\r\n{`, /\}$/)
      expect(statusesOf(declared)).toEqual([413])
      expect(declared).toContain(`"limit":"at most 1048576 bytes"`)
      const piece = `100000\r\n${"a".repeat(1024 * 1024)}\r\n`
      const chunked = yield* Effect.async<string>((resume) => {
        let text = ""
        const socket = Net.connect(port, "127.0.0.1", () => socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`))
        socket.on("data", (bytes) => {
          text += bytes.toString()
          if (statusesOf(text).length === 1 && !socket.writableEnded)
            socket.end(`0\r\n\r\n${get}Connection: close\r\n\r\n`)
        })
        const more = () => {
          if (text === "" && socket.write(piece)) setImmediate(more)
        }
        socket.on("drain", more)
        socket.on("connect", more)
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      expect(statusesOf(chunked)).toEqual([413, 200])
      expect((yield* request("GET", "/v1/sessions")).status).toBe(200)
    })
  )

  it.scoped("with a gigabyte that the client keeps sending take little memory, and the connection goes on", () =>
    Effect.gen(function* () {
      const { port } = yield* served()
      const head = `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
      const piece = Buffer.from(`100000\r\n${"a".repeat(1024 * 1024)}\r\n`)
      let held = 0
      const text = yield* Effect.async<string>((resume) => {
        let text = ""
        let left = 1024
        const before = process.memoryUsage().arrayBuffers
        const socket = Net.connect(port, "127.0.0.1", () => socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`))
        const more = () => {
          held = Math.max(held, process.memoryUsage().arrayBuffers - before)
          for (; left > 0; left--) if (!socket.write(piece)) return void left--
          if (!socket.writableEnded) socket.end(`0\r\n\r\n${get}Connection: close\r\n\r\n`)
        }
        socket.on("data", (bytes) => (text += bytes.toString()))
        socket.on("connect", more).on("drain", more)
        socket.on("close", () => resume(Effect.succeed(text)))
      })
      expect(statusesOf(text)).toEqual([413, 200])
      // What is not collected yet counts too, and newer versions of Node collect later.
      expect(held).toBeLessThan(256 * 1024 * 1024)
    })
  )

  it.live("that stop within their head or body, on 500 connections, or come byte by byte, keep nobody waiting", () =>
    Effect.gen(function* () {
      const { port, request } = yield* served()
      const head = `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n`
      const sockets = Array.from({ length: 500 }, () => Net.connect(port, "127.0.0.1"))
      yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
      for (const [index, socket] of sockets.entries())
        socket.on("error", () => {}).write(index % 2 === 0 ? head : `${head}\r\n{"tit`)
      const [took, answer] = yield* Effect.timed(request("GET", "/v1/sessions"))
      expect(answer.status).toBe(200)
      expect(Duration.toMillis(took)).toBeLessThan(5000)
      let text = ""
      const slow = Net.connect(port, "127.0.0.1")
      sockets.push(slow)
      slow.on("error", () => {}).setNoDelay()
      slow.on("data", (bytes) => (text += bytes.toString()))
      const ended = yield* Effect.fork(Effect.async<void>((resume) => void slow.on("close", () => resume(Effect.void))))
      for (const byte of `${head}Connection: close\r\n\r\n{"title":"a"}`) {
        yield* Effect.async<void>((resume) => void slow.write(byte, () => resume(Effect.void)))
        expect((yield* request("POST", "/v1/sessions", json({}))).status).toBe(201)
      }
      yield* Fiber.join(ended)
      expect(statusesOf(text)).toEqual([201])
    }).pipe(Effect.scoped)
  )
})
