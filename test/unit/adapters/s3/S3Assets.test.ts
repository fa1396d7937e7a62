/** Assets in a bucket, against a strict server: what is stored there. */
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { request } from "node:http"
import { contentTests } from "../../../../src/adapters/testing/storage/contents.js"
import { over } from "../../../../src/adapters/testing/storage/StorageTest.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import { AssetFiles } from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import * as S3Server from "../../../support/s3/S3Server.js"
import { bucket, bucketAt } from "../../../support/s3/TestBucket.js"
import { isPart, other, part, patterned, read, started, store, storeFromReused, upload, write } from "./started.js"

interface Sent {
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array
}

/** While the effect runs, requests go through this function. */
const withFetch =
  (resolving: unknown) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => vi.stubGlobal("fetch", resolving)),
      () => effect,
      () => Effect.sync(() => vi.unstubAllGlobals())
    )

const storage = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

describe("the storage suite's contents, in a bucket", () => {
  const assets = Layer.unwrapScoped(
    Effect.map(S3Server.make({ ...bucket, pageSize: 25 }), ({ endpoint }) =>
      Assets.layer.pipe(
        Layer.provideMerge(storage),
        Layer.provide([bucketAt(endpoint), NodeHashing.layer, Identity.layer])
      )
    )
  )
  for (const { name, run, timeoutMillis } of over(assets, {}, contentTests)) {
    it(name, () => Effect.runPromise(run), timeoutMillis)
  }
})

describe("assets in a bucket", () => {
  it.scoped("have keys below the prefix, and a finished save leaves only its content", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      yield* write(files, { content: patterned(10) })
      expect([...server.objects.keys()].sort()).toEqual([
        `skein/s1/${upload.marker}/begun`,
        `skein/s1/${upload.marker}/content`
      ])
      yield* files.place(upload, "file")
      yield* files.end(upload)
      expect([...server.objects.keys()]).toEqual(["skein/s1/file"])
      expect(yield* files.folders).toEqual(["s1"])
      expect(yield* files.entries("s1")).toEqual(["file"])
      expect(yield* files.entries("s")).toEqual([])
    })
  )

  for (const size of [0, 1, part - 1, part, part + 1, 2 * part + 5]) {
    it.scoped(`of ${size} bytes are read back whole and in ranges`, () =>
      Effect.gen(function* () {
        const { files, server } = yield* started()
        const content = patterned(size)
        yield* store(files, content)
        expect(Buffer.compare(server.objects.get("skein/s1/file") ?? Buffer.from("none"), content)).toBe(0)
        expect(server.seen.filter(isPart)).toHaveLength(size < part ? 0 : Math.ceil(size / part))
        for (const [offset, length] of [
          [0, size],
          [0, 1],
          [size >> 1, 3],
          [size, 5],
          [Math.max(0, size - 1), 9],
          [size, 0]
        ] as const) {
          expect(Buffer.compare(yield* read(files, offset, length), content.subarray(offset, offset + length))).toBe(0)
        }
        expect(server.uploads.size).toBe(0)
        expect(yield* Effect.flip(read(files, 0, 3, "none"))).toMatchObject({ missing: true })
        expect(yield* Effect.flip(read(files, 0, 0, "none"))).toMatchObject({ missing: true })
      })
    )
  }

  it.scoped("the caller's bytes are copied when they are appended, so it may reuse its buffer", () =>
    Effect.gen(function* () {
      const { files } = yield* started()
      yield* storeFromReused(files)
      expect([...(yield* read(files, 0, 3))]).toEqual([1, 2, 3])
    })
  )

  it.scoped("the bucket may be part of the host name, and the endpoint may have a path", () =>
    Effect.gen(function* () {
      const virtual = yield* S3Server.make({ ...bucket, isVirtual: true })
      const below = yield* S3Server.make({ ...bucket, bucket: "proxy/s3/test-bucket" })
      // Not every system resolves names below localhost.
      const resolving = ({ host, pathname, port }: URL, { body, headers, method }: Sent) =>
        new Promise<Response>((resolve) => {
          const options = { port, method, path: pathname, headers: { ...Object.fromEntries(headers), host } }
          request(options, ({ statusCode }) => resolve(new Response(null, { status: statusCode ?? 0 }))).end(body)
        })
      for (const [server, options] of [
        [virtual, { endpoint: virtual.endpoint.replace("127.0.0.1", "localhost"), pathStyle: false }],
        [below, { endpoint: `${below.endpoint}/proxy/s3/` }]
      ] as const) {
        const files = yield* Effect.provide(AssetFiles, yield* Layer.build(bucketAt("", { ...options, prefix: "a/b" })))
        yield* files.begin(upload).pipe(withFetch(resolving))
        expect([...server.objects.keys()]).toEqual([`a/b/s1/${upload.marker}/begun`])
      }
    })
  )

  it.scoped("lists are complete over many pages, and any names are listed and removed exactly", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      const names = ["a b", "c+d", "e&<f>", `"g"'!()*`, "ä😀", "100%", "h?i#j", "=k~_-."]
      for (const name of names) server.objects.set(`skein/s1/${name}`, Buffer.from("x"))
      for (const folder of ["s2", "s3", "s4"]) server.objects.set(`skein/${folder}/x`, Buffer.from("x"))
      server.objects.set("skein/s1/", Buffer.from(""))
      server.objects.set("skeins/s5/x", Buffer.from("x"))
      expect(yield* files.folders).toEqual(["s1", "s2", "s3", "s4"])
      expect([...(yield* files.entries("s1"))].sort()).toEqual([...names].sort())
      for (const file of names) expect(yield* files.remove({ folder: "s1", file })).toBe(true)
      for (const file of names) expect(yield* files.remove({ folder: "s1", file })).toBe(false)
      expect(yield* files.entries("s1")).toEqual([])
      expect(
        yield* Effect.flip(files.remove({ folder: "s1", file: ".." }).pipe(Effect.zipRight(read(files, 0, 1, ".."))))
      ).toMatchObject({ detail: "no URL can name the object" })
      expect([...server.objects.keys()].sort()).toEqual([
        "skein/s1/",
        "skein/s2/x",
        "skein/s3/x",
        "skein/s4/x",
        "skeins/s5/x"
      ])
    })
  )

  it.scoped("a name is removed without other names that begin with it", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      for (const name of ["a", "ab", "a/x"]) server.objects.set(`skein/s1/${name}`, Buffer.from("x"))
      expect(yield* files.remove({ folder: "s1", file: "a" })).toBe(true)
      expect([...server.objects.keys()]).toEqual(["skein/s1/ab"])
    })
  )

  it.scoped("P11 no leftovers: a multipart upload is aborted with its save", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      yield* Effect.scoped(Effect.flatMap(files.create(upload), ({ append }) => append(patterned(part + 1))))
      expect(server.uploads.size).toBe(0)
      expect(server.seen.filter(({ query }) => query.has("uploads") && query.has("prefix"))).toEqual([])
    })
  )

  it.scoped(
    "P11 no leftovers: the multipart uploads of a marker, and no others, are aborted before the marker goes",
    () =>
      Effect.gen(function* () {
        const { files, server } = yield* started()
        const parts = new Map<number, Buffer>()
        for (const id of ["1", "2", "3", "4", "5"]) {
          server.uploads.set(id, { key: `skein/s1/${upload.marker}/content`, parts })
        }
        server.uploads.set("6", { key: `skein/s1/${upload.marker}/contents`, parts })
        server.uploads.set("7", { key: `skein/s1/${other.marker}/content`, parts })
        server.objects.set(`skein/s1/${upload.marker}/begun`, Buffer.from(""))
        yield* server.fail(({ method, query }) => method === "DELETE" && query.get("uploadId") === "5", {
          kind: "status",
          status: 403
        })
        expect(yield* Effect.flip(files.end(upload))).toMatchObject({ detail: "the store answered 403" })
        expect(yield* files.entries("s1")).toEqual([upload.marker])
        expect(yield* files.end(upload)).toBe(true)
        expect([...server.uploads.keys()]).toEqual(["6", "7"])
        expect(yield* files.entries("s1")).toEqual([])
      })
  )

  it.scoped("a place is taken at most once, even though the store itself overwrites objects", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      for (const to of [upload, other]) {
        yield* files.begin(to)
        yield* write(files, { content: Buffer.from(to.marker), to })
      }
      for (let round = 0; round < 20; round++) {
        const taken = yield* Effect.forEach([upload, other], (to) => files.place(to, `file${round}`), {
          concurrency: "unbounded"
        })
        expect(taken.filter((isTaken) => isTaken).length).toBeLessThanOrEqual(1)
      }
      expect(yield* files.place(upload, "last")).toBe(true)
      expect(yield* files.place(other, "last")).toBe(false)
      yield* files.end(upload)
      expect(yield* files.place(other, "last")).toBe(false)
      expect(server.objects.get("skein/s1/last")?.toString()).toBe(upload.marker)
    })
  )

  it.scoped("a save whose marker is gone places nothing, and only the first end reports success", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const content = yield* files.create(upload)
          yield* content.append(patterned(10))
          expect(yield* files.end(upload)).toBe(true)
          yield* content.sync
        })
      )
      expect(yield* Effect.flip(files.place(upload, "file"))).toMatchObject({ missing: true })
      expect(yield* files.end(upload)).toBe(false)
      expect([...server.objects.keys()]).toEqual([])
    })
  )

  it.scoped("a marker's age is measured by the server's clock, from the last write under it", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started({ pageSize: 2 })
      const hour = 60 * 60 * 1000
      expect(yield* files.age(upload)).toBe(0)
      yield* files.begin(upload)
      const begun = `skein/s1/${upload.marker}/begun`
      server.ages.set(begun, 72 * hour)
      expect(Math.round((yield* files.age(upload)) / hour)).toBe(72)
      yield* write(files, { content: patterned(3) })
      for (const file of ["a", "b", "c"]) server.objects.set(`skein/s1/${upload.marker}/${file}`, Buffer.from(""))
      for (const key of server.objects.keys()) server.ages.set(key, 48 * hour)
      server.ages.set(`skein/s1/${upload.marker}/b`, 24 * hour)
      expect(Math.round((yield* files.age(upload)) / hour)).toBe(24)
      expect(yield* files.age(other)).toBe(0)
    })
  )

  it.scoped("a multipart upload that somebody else aborted is missing", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      const failed = yield* Effect.scoped(
        Effect.gen(function* () {
          const content = yield* files.create(upload)
          yield* content.append(patterned(part))
          yield* files.end(upload)
          return yield* Effect.flip(content.sync)
        })
      )
      expect(failed).toMatchObject({ missing: true })
      expect(server.uploads.size).toBe(0)
    })
  )
})
