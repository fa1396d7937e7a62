/**
 * Files over HTTP: streamed in and out, whole, in part, not sent again if the client has them, and refused if too
 * large.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Asset } from "skein"
import * as Net from "node:net"
import { served, statusesOf } from "./server.js"

const read = Schema.decodeUnknownSync(Asset.Asset)
const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251))

const opened = Effect.gen(function* () {
  const engine = yield* served({ config: { limits: { assetBytes: 200_000 } } })
  const { id } = yield* engine.session()
  const folder = `/v1/sessions/${id}/assets`
  const put = (path: string, body: Uint8Array, type = "application/x-thing") =>
    engine.request("PUT", path, { body, headers: { "content-type": type } })
  const saved = yield* put(`${folder}?name=a%20%22thing%22%20%C3%A4.bin`, bytes)
  expect(saved.status).toBe(201)
  const asset = read(saved.json())
  return { ...engine, folder, put, asset, path: `${folder}/${asset.id}` }
})

describe("files", () => {
  it.scoped("are stored unchanged, and served as attachments", () =>
    Effect.gen(function* () {
      const { asset, folder, gateway, path, request } = yield* opened
      expect(asset).toMatchObject({ name: 'a "thing" ä.bin', mediaType: "application/x-thing", size: bytes.length })
      expect((yield* request("GET", folder)).json()).toEqual([asset])
      const whole = yield* request("GET", path)
      expect(whole.status).toBe(200)
      expect(whole.bytes.equals(bytes)).toBe(true)
      expect(whole.headers).toMatchObject({
        "content-type": "application/x-thing",
        "content-length": "100000",
        "content-disposition": `attachment; filename="a _thing_ _.bin"; filename*=UTF-8''a%20%22thing%22%20%C3%A4.bin`,
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        etag: `"${asset.sha256}"`
      })
      const head = yield* request("HEAD", path)
      expect([head.status, head.text, head.headers["content-length"]]).toEqual([200, "", "100000"])
      expect((yield* request("DELETE", path)).json()).toEqual(asset)
      expect(yield* gateway.assets(asset.sessionId)).toEqual([])
      const gone = yield* request("GET", path)
      expect([gone.status, gone.json()]).toMatchObject([404, { _tag: "AssetNotFound", assetId: asset.id }])
    })
  )

  it.scoped("are served in ranges, whole if they have changed, and not again if the client has them", () =>
    Effect.gen(function* () {
      const { asset, path, request } = yield* opened
      const ranges: ReadonlyArray<readonly [string, number, number]> = [
        ["bytes=0-0", 0, 1],
        ["bytes=10-99", 10, 100],
        ["bytes=99999-", 99_999, 100_000],
        ["bytes=-3", 99_997, 100_000],
        ["bytes=5-999999999", 5, 100_000],
        ["bytes=-999999999", 0, 100_000]
      ]
      for (const [range, from, to] of ranges) {
        const answer = yield* request("GET", path, { headers: { range } })
        expect([range, answer.status, answer.headers["content-range"]]).toEqual([
          range,
          206,
          `bytes ${from}-${to - 1}/100000`
        ])
        expect(answer.bytes.equals(bytes.subarray(from, to))).toBe(true)
      }
      for (const range of ["bytes=5-1", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=1.5-2"]) {
        expect([range, (yield* request("GET", path, { headers: { range } })).status]).toEqual([range, 200])
      }
      for (const range of ["bytes=100000-", "bytes=-0"]) {
        const answer = yield* request("GET", path, { headers: { range } })
        expect([range, answer.status, answer.headers["content-range"], answer.json()]).toMatchObject([
          range,
          416,
          "bytes */100000",
          { _tag: "RangeNotSatisfiable", field: "range", size: 100_000 }
        ])
      }
      const range = "bytes=0-9"
      const same = { range, "if-range": `"${asset.sha256}"` }
      expect((yield* request("GET", path, { headers: same })).status).toBe(206)
      expect((yield* request("GET", path, { headers: { range, "if-range": `"another"` } })).status).toBe(200)
      for (const tags of [`"${asset.sha256}"`, `"a", W/"${asset.sha256}"`, "*"]) {
        const known = yield* request("GET", path, { headers: { "if-none-match": tags } })
        expect([known.status, known.text, known.headers["etag"]]).toEqual([304, "", `"${asset.sha256}"`])
      }
      expect((yield* request("GET", path, { headers: { "if-none-match": `"a"` } })).status).toBe(200)
    })
  )

  it.scoped("that are too large, or cut off, leave nothing", () =>
    Effect.gen(function* () {
      const { asset, folder, gateway, port, put, raw, request } = yield* opened
      const large = yield* put(folder, new Uint8Array(200_001))
      expect([large.status, large.json()]).toMatchObject([
        413,
        { _tag: "BodyTooLarge", field: "body", limit: "at most 200000 bytes" }
      ])
      const head = `PUT ${folder} HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n`
      const endless = yield* raw(`${head}Content-Length: 99999999999\r\n\r\n${"a".repeat(300_000)}`, /\}$/)
      expect(statusesOf(endless)).toEqual([413])
      yield* Effect.async<void>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => socket.end(`${head}Content-Length: 1000\r\n\r\nabc`))
        socket.resume().on("close", () => resume(Effect.void))
      })
      const again = yield* put(folder, Buffer.from("b"))
      expect(again.status).toBe(201)
      expect((yield* gateway.assets(asset.sessionId)).map(({ size }) => size)).toEqual([100_000, 1])
      expect((yield* request("GET", "/v1/sessions")).status).toBe(200)
    })
  )
})
