/** Shared by the tests of assets in a bucket: a strict server, and the files of assets in its bucket. */
import { expect } from "@effect/vitest"
import { Chunk, Effect, Layer, Stream, TestClock } from "effect"
import { AssetFiles, type Service, type Upload } from "../../../../src/services/assets/AssetFiles.js"
import * as S3Server from "../../../support/s3/S3Server.js"
import { bucket, bucketAt } from "../../../support/s3/TestBucket.js"

export const upload: Upload = { folder: "s1", marker: ".upl_a.engine.upload" }
export const other: Upload = { folder: "s1", marker: ".upl_b.engine.upload" }
export const part = 8 * 1024 * 1024

export const started = (options: Partial<S3Server.Options> = {}) =>
  Effect.gen(function* () {
    const server = yield* S3Server.make({ ...bucket, ...options })
    const files = yield* Effect.map(Layer.build(bucketAt(server.endpoint)), (context) =>
      Effect.provide(AssetFiles, context)
    )
    return { server, files: yield* files }
  })

export const write = (
  files: Service,
  { content, to = upload }: { readonly content: Uint8Array; readonly to?: Upload }
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.create(to)
      for (let at = 0; at < content.length; at += 256 * 1024) yield* file.append(content.slice(at, at + 256 * 1024))
      yield* file.sync
    })
  )

export const store = (files: Service, content: Uint8Array, file = "file") =>
  Effect.gen(function* () {
    yield* files.begin(upload)
    yield* write(files, { content })
    expect(yield* files.place(upload, file)).toBe(true)
    expect(yield* files.end(upload)).toBe(true)
  })

/** Stores the bytes 1, 2 and 3 from a buffer that is overwritten once they are appended. */
export const storeFromReused = (files: Service) =>
  Effect.gen(function* () {
    yield* files.begin(upload)
    const bytes = Uint8Array.of(1, 2, 3)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const content = yield* files.create(upload)
        yield* content.append(bytes)
        bytes.fill(0)
        yield* content.sync
      })
    )
    yield* files.place(upload, "file")
  })

export const read = (files: Service, offset: number, length: number, file = "file") =>
  Stream.runCollect(files.read({ folder: "s1", file }, { offset, length })).pipe(
    Effect.map((pieces) => Buffer.concat(Chunk.toReadonlyArray(pieces)))
  )

/** Content without two equal parts. */
export const patterned = (size: number): Uint8Array =>
  Buffer.alloc(
    size,
    Uint8Array.from({ length: 251 }, (_, index) => index)
  )

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** Lets time pass, as often as the effect needs. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(effect, Effect.forever(Effect.zipRight(TestClock.adjust("1 second"), Effect.promise(nextTurn))))

export const isPut = (end: string) => (seen: S3Server.Seen) => seen.method === "PUT" && seen.key.endsWith(end)
export const isPart = ({ method, query }: S3Server.Seen) => method === "PUT" && query.has("partNumber")
export const isGet = ({ key, method }: S3Server.Seen) => method === "GET" && key !== ""
