/**
 * Nothing is reached, and nothing changes, without a known token, under the server's own name and from its own page.
 * Requests are raw bytes, because no client would send them. Each contains a secret, which is in no answer and in no
 * line of the log.
 */
import { describe, expect } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { Session } from "skein"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import { listen } from "../http/listening.js"
import * as Server from "./guarded.js"

const canary = "canary-5ec3e7"
const created = JSON.stringify({ title: canary })

/** The number of sessions, which a refused request must not change. */
const count = Effect.gen(function* () {
  const { gateway } = yield* Server.Guarded
  return (yield* gateway.sessions({ total: true })).total
})

const expectRefusal = (title: string, raw: Server.Raw, status: number, tag: string) => {
  expect([title, raw.status, raw.tag]).toEqual([title, status, tag])
  expect(raw.head + raw.body).not.toContain(canary)
  expect(raw.header("x-content-type-options")).toBe("nosniff")
  expect(raw.header("cache-control")).toBe("no-store")
  expect(raw.header("content-security-policy")).toMatch(/^default-src 'none'.*frame-ancestors 'none'/)
  expect(raw.header("access-control-allow-origin")).toBeUndefined()
}

describe("access", () => {
  const it = Server.tests()

  it("requires a token on every route with every method; unknown routes look the same", () =>
    Effect.gen(function* () {
      const { known, send, token } = yield* Server.Guarded
      const before = yield* count
      const paths = ["/v1/sessions", "/v1/events", "/v1/sessions/a/events", "/openapi.json", `/${canary}`, "/health"]
      for (const path of [...paths, "/metrics", "/logout", "/page", "/v1/sessions/..%2f..%2f", "//", "/login"]) {
        for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
          if (path === "/login" && method === "POST") continue
          const answer = yield* send(method, path, {}, method === "POST" ? created : "")
          const tag = method === "HEAD" ? undefined : "Unauthorized"
          expect([method, path, answer.status, answer.tag]).toEqual([method, path, 401, tag])
          expect(answer.header("www-authenticate")).toBe("Bearer")
        }
      }
      const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": "YQ==" }
      expect((yield* send("GET", "/v1/sessions", upgrade)).status).toBe(401)
      const wrong: ReadonlyArray<readonly [string, Server.Headers, string?]> = [
        ["an empty one", { authorization: "Bearer " }],
        ["its beginning", { authorization: `Bearer ${token.slice(0, -1)}` }],
        ["one that is longer", { authorization: `Bearer ${token}A` }],
        ["one of another length", { authorization: `Bearer ${canary}` }],
        ["another secret", { authorization: `Bearer ${TokenText.make(TokenText.local)}` }],
        ["another name", { authorization: `Bearer ${token.replace("local", "other")}` }],
        ["a path as its name", { authorization: `Bearer ${token.replace("local", "../../a")}` }],
        ["another scheme", { authorization: `Basic ${token}` }],
        ["in the URL", {}, `/v1/sessions?token=${token}`],
        ["as a cookie", { cookie: `skein=${token}` }],
        ["with a good cookie's name", { authorization: "Bearer x", cookie: "a=b" }]
      ]
      for (const [title, headers, path = "/v1/sessions"] of wrong) {
        expectRefusal(title, yield* send("POST", path, headers, created), 401, "Unauthorized")
      }
      expect(yield* count).toBe(before)
      expect((yield* send("GET", "/v1/sessions", known)).status).toBe(200)
      expect((yield* send("GET", `/${canary}`, known)).status).toBe(404)
    }))

  it("is granted only under the server's own name", () =>
    Effect.gen(function* () {
      const { known, port, raw, send } = yield* Server.Guarded
      const before = yield* count
      const other = ["evil.test", `evil.test:${port}`, `127.0.0.1.evil.test:${port}`, `localhost:${port}@evil.test`]
      const hosts = [...other, "127.0.0.1", "localhost", `127.0.0.1:${port + 1}`, `localhost.:${port}`, "", canary]
      for (const host of [...hosts, `[::1]`, `0.0.0.0:${port}`, `2130706433:${port}`, `127.1:${port}`]) {
        expectRefusal(host, yield* send("POST", "/v1/sessions", { ...known, host }, created), 421, "WrongHost")
      }
      const twice = [`127.0.0.1:${port}`, "evil.test"]
      for (const host of [twice, twice.toReversed()]) {
        expectRefusal("two", yield* send("GET", "/v1/sessions", { ...known, host }), 421, "WrongHost")
      }
      const forwarded = { ...known, host: "evil.test", "x-forwarded-host": `127.0.0.1:${port}` }
      expectRefusal("forwarded", yield* send("GET", "/", forwarded), 421, "WrongHost")
      expect((yield* raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")).status).toBe(400)
      expect(yield* count).toBe(before)
      for (const host of [`LOCALHOST:${port}`, `[::1]:${port}`]) {
        expect((yield* send("GET", "/v1/sessions", { ...known, host })).status).toBe(200)
      }
    }))

  it("is granted to no page but the server's own, and no header lets another page read", () =>
    Effect.gen(function* () {
      const { known, own, port, send } = yield* Server.Guarded
      const before = yield* count
      const others = ["http://evil.test", "null", "http://localhost.evil.test", "http://localhost:9999", `${own}.evil`]
      const almost = [`https://127.0.0.1:${port}`, `http://localhost:${port}`, own.toUpperCase(), `${own}/`, ""]
      for (const origin of [...others, ...almost, `${own}, http://evil.test`, canary]) {
        expectRefusal(origin, yield* send("POST", "/v1/sessions", { ...known, origin }, created), 403, "ForeignOrigin")
        const asks = { origin, "access-control-request-method": "POST" }
        expectRefusal(origin, yield* send("OPTIONS", "/v1/sessions", asks), 403, "ForeignOrigin")
      }
      for (const site of ["cross-site", "same-site"]) {
        const headers = { ...known, "sec-fetch-site": site }
        expectRefusal(site, yield* send("GET", "/v1/sessions", headers), 403, "ForeignOrigin")
        expectRefusal(site, yield* send("GET", "/", headers), 403, "ForeignOrigin")
        expectRefusal(
          site,
          yield* send("POST", "/v1/sessions", { ...headers, origin: own }, created),
          403,
          "ForeignOrigin"
        )
      }
      expect(yield* count).toBe(before)
      const form = { ...known, origin: own, "content-type": "text/plain" }
      expect((yield* send("POST", "/v1/sessions", form, created)).status).toBe(415)
      expect((yield* send("POST", "/v1/sessions", { ...known, origin: own }, created)).status).toBe(201)
      expect(yield* count).toBe((before ?? 0) + 1)
    }))

  it("for a page starts with a one-time code, then a cookie that only the page can use", () =>
    Effect.gen(function* () {
      const { code, gateway, own, send } = yield* Server.Guarded
      const login = (given: string, headers: Server.Headers = { origin: own }) =>
        send("POST", "/login", headers, JSON.stringify({ code: given }))
      const good = yield* code
      expectRefusal("a foreign page", yield* login(good, { origin: "http://evil.test" }), 403, "ForeignOrigin")
      expectRefusal("another code", yield* login(canary), 401, "Unauthorized")
      expectRefusal("no code", yield* send("POST", "/login", {}, `{"c":"${canary}"}`), 400, "Malformed")
      expectRefusal("much", yield* send("POST", "/login", {}, `{"code":"${canary.repeat(200)}"}`), 413, "BodyTooLarge")
      const typed = { "content-type": "text/plain" }
      expectRefusal("a form", yield* send("POST", "/login", typed, `{"code":"${good}"}`), 415, "UnsupportedContent")
      const answer = yield* login(good)
      expect(answer.status).toBe(204)
      const set = answer.header("set-cookie") ?? ""
      expect(set).toMatch(/^skein-[0-9a-f]{12}-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/)
      expectRefusal("the code again", yield* login(good), 401, "Unauthorized")
      const [cookie = ""] = set.split(";")
      // Browsers send the cookie to all ports: another server, even of the same folder, must not take it for its own.
      expect(cookie).toMatch(new RegExp(`^skein-[0-9a-f]{12}-${own.split(":")[2]}=`))
      const elsewhere = cookie.replace(/-\d+=/, "-1=")
      expectRefusal("another port's", yield* send("GET", "/v1/sessions", { cookie: elsewhere }), 401, "Unauthorized")
      const post = (headers: Server.Headers) => send("POST", "/v1/sessions", { cookie, ...headers }, created)
      expect((yield* send("GET", "/v1/sessions", { cookie })).status).toBe(200)
      // What a proxy asked the browser for comes with the cookie.
      const proxys = { cookie, authorization: "Basic YW5uYTpzZWNyZXQ=" }
      expect((yield* send("GET", "/v1/sessions", proxys)).status).toBe(200)
      expect((yield* send("GET", "/v1/sessions", { cookie, authorization: "Bearer wrong" })).status).toBe(401)
      const made = yield* post({ origin: own })
      expect(made.status).toBe(201)
      const [event] = yield* gateway
        .sessions({ limit: 1, order: "activity" })
        .pipe(Effect.map(({ sessions }) => sessions))
      expect(event?.title).toBe(canary)
      expect((yield* post({ "sec-fetch-site": "same-origin" })).status).toBe(201)
      expectRefusal("nobody says whose page", yield* post({}), 401, "Unauthorized")
      expectRefusal("an address typed", yield* post({ "sec-fetch-site": "none" }), 401, "Unauthorized")
      const stream = yield* listen(Number(own.split(":")[2]), "/v1/events", { cookie })
      expect(stream.status).toBe(200)
      const out = yield* send("POST", "/logout", { cookie, origin: own })
      expect([out.status, out.header("set-cookie")]).toEqual([204, expect.stringContaining("Max-Age=0")])
      yield* stream.until(() => false)
      expectRefusal("after that", yield* send("GET", "/v1/sessions", { cookie }), 401, "Unauthorized")
    }))

  it("ends when its token is revoked: the next request is refused, and an open stream ends", () =>
    Effect.gen(function* () {
      const { folder, gateway, port, send } = yield* Server.Guarded
      const name = TokenText.Name.make("reader")
      const wish = { name, scope: "read", owner: null, expiresAt: null, ...Server.noCaps } as const
      const text = yield* TokenFolder.create(folder, wish)
      const bearer = { authorization: `Bearer ${text}` }
      const { id } = yield* gateway.create({ id: Session.Id.make("watched") })
      const stream = yield* listen(port, `/v1/sessions/${id}/events`, bearer)
      expect((yield* stream.next)?.event).toBe("session.created")
      const refused = yield* send("POST", "/v1/sessions", bearer, created)
      expect([refused.status, refused.tag]).toEqual([403, "Forbidden"])
      yield* TokenFolder.revoke(folder, name)
      expectRefusal("revoked", yield* send("GET", "/v1/sessions", bearer), 401, "Unauthorized")
      expect((yield* stream.until(() => false)).map(({ event }) => event)).toEqual(["synced"])
      const again = yield* TokenFolder.create(folder, wish)
      expect(again).not.toBe(text)
      expectRefusal("its namesake's", yield* send("GET", "/v1/sessions", bearer), 401, "Unauthorized")
      yield* TokenFolder.revoke(folder, name)
      const old = yield* TokenFolder.create(folder, { ...wish, expiresAt: 1 })
      const expired = { authorization: `Bearer ${old}` }
      expectRefusal("expired", yield* send("GET", "/v1/sessions", expired), 401, "Unauthorized")
    }))

  it("with a token is limited to its owner's sessions, and acts under the token's name", () =>
    Effect.gen(function* () {
      const { folder, gateway, send } = yield* Server.Guarded
      const owner = (yield* gateway.create({ id: Session.Id.make("theirs"), owner: Session.Owner.make("ada") })).owner
      const wish = {
        name: TokenText.Name.make("ada-1"),
        scope: "write",
        owner,
        expiresAt: null,
        ...Server.noCaps
      } as const
      const bearer = { authorization: `Bearer ${yield* TokenFolder.create(folder, wish)}` }
      expect((yield* send("GET", "/v1/sessions/theirs", bearer)).status).toBe(200)
      const [foreign, none] = [
        yield* send("GET", "/v1/sessions/watched", bearer),
        yield* send("GET", "/v1/sessions/unwatched", bearer)
      ]
      expect([foreign.status, foreign.body]).toEqual([404, none.body.replaceAll("unwatched", "watched")])
      const made = yield* send("POST", "/v1/sessions", bearer, `{"id":"hers"}`)
      expect(made.status).toBe(201)
      const first = yield* Stream.runHead(gateway.events({ sessionId: Session.Id.make("hers") }))
      expect(Option.getOrNull(first)).toMatchObject({ type: "session.created", actor: "ada-1" })
      expect((yield* gateway.session(Session.Id.make("hers"))).owner).toBe("ada")
    }))

  it("leaves no secret anywhere except in the local token's file", () =>
    Effect.gen(function* () {
      const { folder, known, log, send, spans, token } = yield* Server.Guarded
      expect((yield* send("GET", `/v1/sessions?title=${canary}&limit=1`, known)).status).toBe(200)
      const traced = spans.map(({ attributes, name }) => JSON.stringify([name, ...attributes]))
      expect(traced.filter((text) => text.includes("http.server GET")).length).toBeGreaterThan(0)
      for (const secret of [token, canary]) expect(traced.join()).not.toContain(secret)
      expect(log.join()).not.toContain(canary)
      expect(log.join()).not.toContain("skein.")
      const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()
      // The file of the browser that was signed in is gone.
      expect(names).toEqual(["codes", "cookies", "token", "tokens", "tokens/ada-1.json", "tokens/reader.json"])
      expect(["", "tokens", "cookies", "codes"].map((name) => mode(join(folder, name)))).toEqual([
        "700",
        "700",
        "700",
        "700"
      ])
      for (const file of names.filter((name) => !["codes", "cookies", "tokens"].includes(name))) {
        expect([file, mode(join(folder, file))]).toEqual([file, "600"])
        const text = readFileSync(join(folder, file), "utf8")
        expect([file, text.includes(token)]).toEqual([file, file === "token"])
        expect([file, /skein\.[^.]+\./.test(text)]).toEqual([file, file === "token"])
      }
    }))
})
