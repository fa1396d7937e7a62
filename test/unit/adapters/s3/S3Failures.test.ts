/** Assets in a bucket whose server does everything wrong that a server can do wrong. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Stream, TestClock } from "effect"
import { AssetFiles } from "../../../../src/services/assets/AssetFiles.js"
import * as S3Server from "../../../support/s3/S3Server.js"
import { bucket, bucketAt } from "../../../support/s3/TestBucket.js"
import { isGet, isPut, part, passing, patterned, read, started, store, upload, write } from "./started.js"

describe("a failing store", () => {
  const faults: ReadonlyArray<readonly [string, S3Server.Fault]> = [
    ["answers 500", { kind: "status", status: 500, code: "InternalError" }],
    ["answers 503", { kind: "status", status: 503, code: "SlowDown" }],
    ["answers 429", { kind: "status", status: 429 }],
    ["cuts the connection in the middle of a request", { kind: "cut-request", bytes: 1 }],
    ["cuts the connection before it answers", { kind: "cut-answer", bytes: 0 }]
  ]
  for (const [does, fault] of faults) {
    it.scoped(`is asked again when it ${does} twice, at any request`, () =>
      Effect.gen(function* () {
        const { files, server } = yield* started()
        const content = patterned(part + 9)
        const failed = new Map<string, number>()
        yield* server.fail(
          (seen) => {
            if (fault.kind === "cut-request" && Number(seen.headers["content-length"] ?? 0) === 0) return false
            const name = `${seen.method} ${seen.key} ${seen.query.toString()}`
            const times = failed.get(name) ?? 0
            failed.set(name, times + 1)
            return times < 2
          },
          fault,
          Number.POSITIVE_INFINITY
        )
        yield* passing(store(files, content))
        expect(Buffer.compare(yield* passing(read(files, 0, content.length)), content)).toBe(0)
        expect(server.uploads.size).toBe(0)
        expect([...server.objects.keys()]).toEqual(["skein/s1/file"])
        expect(Math.max(...failed.values())).toBe(3)
      })
    )
  }

  it.scoped("is reported with its code after four tries", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* server.fail(isPut("/begun"), { kind: "status", status: 503, code: "SlowDown" }, 9)
      expect(yield* passing(Effect.flip(files.begin(upload)))).toMatchObject({
        missing: false,
        detail: "the store answered 503 SlowDown"
      })
      expect(server.seen).toHaveLength(4)
    })
  )

  it.scoped("P11 no leftovers: an upload begun twice because an answer was lost is aborted with its marker", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      const isBegin = ({ method, query }: S3Server.Seen) => method === "POST" && query.has("uploads")
      yield* server.fail(isBegin, { kind: "cut-answer", bytes: 0 })
      yield* passing(write(files, { content: patterned(part) }))
      expect(server.seen.filter(isBegin)).toHaveLength(2)
      expect(server.uploads.size).toBe(1)
      yield* files.end(upload)
      expect(server.uploads.size).toBe(0)
    })
  )

  it.scoped("an error within an answer with status 200 is an error", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* files.begin(upload)
      yield* write(files, { content: patterned(5) })
      yield* server.fail(isPut("s1/file"), { kind: "late-error" }, 9)
      expect(yield* passing(Effect.flip(files.place(upload, "file")))).toMatchObject({
        detail: "the store answered 200 InternalError"
      })
      expect(server.objects.has("skein/s1/file")).toBe(false)
    })
  )

  it.scoped("fails the call in the end when it never answers, even where nothing may interrupt", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      const { reached } = yield* server.fail(isPut("/begun"), { kind: "stall", bytes: -1, until: Effect.never }, 9)
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.flip(files.begin(upload))))
      yield* reached
      yield* TestClock.adjust("29 seconds")
      expect((yield* Fiber.poll(fiber))._tag).toBe("None")
      expect(yield* passing(Fiber.join(fiber))).toMatchObject({ detail: "the store does not answer" })
      expect(server.seen).toHaveLength(2)
    })
  )

  it.scoped("a slow body is waited for, and a stalled one is requested again from where it stopped", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      const content = patterned(100_000)
      yield* store(files, content)
      const gate = yield* Deferred.make<void>()
      const slow = yield* server.fail(isGet, { kind: "stall", bytes: 10, until: Deferred.await(gate) })
      const fiber = yield* Effect.fork(read(files, 0, content.length))
      yield* slow.reached
      yield* TestClock.adjust("20 seconds")
      yield* Deferred.succeed(gate, undefined)
      expect(Buffer.compare(yield* Fiber.join(fiber), content)).toBe(0)
      expect(server.seen.filter(isGet)).toHaveLength(1)
      yield* server.fail(isGet, { kind: "stall", bytes: 10, until: Effect.never })
      expect(Buffer.compare(yield* passing(read(files, 0, content.length)), content)).toBe(0)
      yield* server.fail(isGet, { kind: "cut-answer", bytes: 70_000 })
      expect(Buffer.compare(yield* passing(read(files, 5, 90_000)), content.subarray(5, 90_005))).toBe(0)
      const ranges = server.seen.filter(isGet).map(({ headers }) => headers["range"])
      expect(ranges[0]).toBe("bytes=0-99999")
      expect(ranges.at(-1)).toMatch(/^bytes=\d{2,}-90004$/)
    })
  )

  it.scoped(
    "a reader that has enough or is interrupted closes its connection, and does not wait for a stalled body",
    () =>
      Effect.gen(function* () {
        const { files, server } = yield* started()
        yield* store(files, patterned(100_000))
        const left = yield* server.fail(isGet, { kind: "stall", bytes: 10, until: Effect.never })
        const first = yield* Stream.runHead(files.read({ folder: "s1", file: "file" }, { offset: 0, length: 90_000 }))
        expect(first._tag).toBe("Some")
        yield* left.closed
        const cut = yield* server.fail(isGet, { kind: "stall", bytes: 10, until: Effect.never })
        const fiber = yield* Effect.fork(read(files, 0, 90_000))
        yield* cut.reached
        expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
        yield* cut.closed
      })
  )

  it.scoped("without ranges serves only reads from 0, with no more than was asked for", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      yield* store(files, patterned(100))
      yield* server.fail(isGet, { kind: "no-ranges" }, 9)
      expect((yield* read(files, 0, 10)).length).toBe(10)
      expect(yield* Effect.flip(read(files, 5, 10))).toMatchObject({ detail: "the store answered 200" })
    })
  )

  it.scoped("redirects are not followed", () =>
    Effect.gen(function* () {
      const { files, server } = yield* started()
      const elsewhere = yield* S3Server.make(bucket)
      yield* server.fail(isPut("/begun"), {
        kind: "status",
        status: 307,
        code: "TemporaryRedirect",
        location: `${elsewhere.endpoint}/test-bucket/x`
      })
      expect(yield* Effect.flip(files.begin(upload))).toMatchObject({
        detail: "the store answered 307 TemporaryRedirect"
      })
      expect(elsewhere.seen).toEqual([])
    })
  )

  it.scoped("a missing bucket is an error, not a missing file", () =>
    Effect.gen(function* () {
      const server = yield* S3Server.make({ ...bucket, bucket: "another-bucket" })
      const files = yield* Effect.provide(AssetFiles, yield* Layer.build(bucketAt(server.endpoint)))
      expect(yield* Effect.flip(files.begin(upload))).toMatchObject({
        missing: false,
        detail: "the store answered 404 NoSuchBucket"
      })
    })
  )

  const secrets = [
    bucket.accessKeyId,
    bucket.secretAccessKey,
    bucket.sessionToken,
    "Signature=",
    "127.0.0.1",
    "uploadId"
  ]
  for (const [name, options, detail] of [
    ["another secret", { secretAccessKey: "another" }, "the store answered 403 SignatureDoesNotMatch"],
    ["another key", { accessKeyId: "ANOTHER" }, "the store answered 403 InvalidAccessKeyId"],
    ["another token", { sessionToken: "another" }, "the store answered 403 InvalidToken"],
    ["another region", { region: "us-east-1" }, "the store answered 403 AuthorizationHeaderMalformed"]
  ] as const) {
    it.scoped(`P12 clear refusal: a store with ${name} refuses, and no secret is revealed`, () =>
      Effect.gen(function* () {
        const server = yield* S3Server.make({ ...bucket, ...options })
        const files = yield* Effect.provide(AssetFiles, yield* Layer.build(bucketAt(server.endpoint)))
        for (const operation of [
          files.begin(upload),
          files.end(upload),
          files.entries("s1"),
          read(files, 0, 5),
          write(files, { content: patterned(part) })
        ]) {
          const exit: Exit.Exit<unknown, unknown> = yield* Effect.exit(operation)
          if (Exit.isSuccess(exit)) return expect.unreachable()
          expect(Cause.pretty(exit.cause)).toContain(detail)
          const told = `${Cause.pretty(exit.cause)} ${JSON.stringify(exit)} ${String(exit)}`
          for (const secret of secrets) expect(told).not.toContain(secret)
        }
        expect(server.seen.length).toBeGreaterThan(0)
      })
    )
  }

  it.scoped("an unreachable store is reported without its address", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* Effect.scoped(S3Server.make(bucket))
      const files = yield* Effect.provide(AssetFiles, yield* Layer.build(bucketAt(endpoint)))
      const error = yield* passing(Effect.flip(files.begin(upload)))
      expect(error).toMatchObject({ missing: false, detail: "the connection to the store failed: ECONNREFUSED" })
    })
  )
})
