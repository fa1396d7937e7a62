/**
 * The page's files: what is sent of them, that browsers keep files with a hash in their name, and that all of it is
 * small.
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PageFiles from "../../../../src/adapters/server/PageFiles.js"

const get = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  Effect.gen(function* () {
    const app = yield* PageFiles.load
    const request = HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, { headers, method }))
    const response = yield* Effect.provideService(app, HttpServerRequest.HttpServerRequest, request)
    const web = HttpServerResponse.toWeb(response)
    const body = yield* Effect.promise(() => web.arrayBuffer())
    return { status: web.status, header: (name: string) => web.headers.get(name), bytes: body.byteLength, body }
  })

const zipped = { "accept-encoding": "gzip, br" }

const names = Effect.map(get("/"), ({ body }) => [
  ...new TextDecoder().decode(body).matchAll(/(?:src|href)="(page\/[^"]+)"/g)
]).pipe(Effect.map((all) => all.map(([, name = ""]) => `/${name}`)))

describe("the page's files", () => {
  it.effect("are a document, a script, a style and an icon, less than 60 KB compressed in total", () =>
    Effect.gen(function* () {
      const found = yield* names
      const types = yield* Effect.forEach(found, (name) =>
        Effect.map(get(name), ({ header }) => header("content-type"))
      )
      expect([...new Set(types)]).toEqual([
        "image/svg+xml",
        "text/css; charset=utf-8",
        "text/javascript; charset=utf-8"
      ])
      const sizes = yield* Effect.forEach(["/", ...found], (name) =>
        Effect.map(get(name, zipped), ({ bytes }) => bytes)
      )
      const sum = sizes.reduce((sum, size) => sum + size, 0)
      expect(sum).toBeGreaterThan(10_000)
      expect(sum).toBeLessThan(60_000)
    })
  )

  it.effect("are cached for ever if their name has their hash, and revalidated if not", () =>
    Effect.gen(function* () {
      const document = yield* get("/")
      expect(document.header("cache-control")).toBe("no-cache")
      const script = (yield* names).find((name) => name.endsWith(".js")) ?? ""
      const plain = yield* get(script)
      expect(plain.header("cache-control")).toContain("immutable")
      const packed = yield* get(script, zipped)
      expect([packed.header("content-encoding"), packed.header("vary")]).toEqual(["gzip", "accept-encoding"])
      expect(packed.bytes).toBeLessThan(plain.bytes / 2)
      const again = yield* get("/", { "if-none-match": document.header("etag") ?? "" })
      expect([again.status, again.bytes]).toEqual([304, 0])
      expect((yield* get("/", {}, "HEAD")).bytes).toBe(0)
      expect((yield* get("/?a=b")).status).toBe(200)
      for (const other of ["/page/", "/page/../main.js", "/page/main.js"]) {
        expect((yield* get(other)).status).toBe(404)
      }
    })
  )
})
